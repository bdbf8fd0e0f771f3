"""Where an engine may not be, and what may not answer in its place: each is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.build.enginefacts import check_engine
from scripts.build.engineplace import check_place
from scripts.errors import PodpathError
from tests.unit.hostile import DOCKER, ELSEWHERE, NO_CONTEXT, PODMAN, PODMANS_ENGINE

CHOOSE = "unset DOCKER_HOST and DOCKER_CONTEXT, or choose it with `docker context use default`"
HERE = f"podpath needs one on this machine: {CHOOSE}"
INSTEAD = "podpath needs Docker Engine: "
TUNNEL = "unix:///run/user/1000/podman/podman.sock"


@pytest.mark.parametrize(
    ("client", "host", "said"),
    [
        (DOCKER, "tcp://192.0.2.1:2376", f"the Docker Engine is at tcp://192.0.2.1:2376, and {HERE}"),
        (DOCKER, "ssh://me@192.0.2.1", f"the Docker Engine is at ssh://me@192.0.2.1, and {HERE}"),
        (PODMAN, "", f"`docker` on PATH is Podman's (podman version 4.3.1), and {INSTEAD}install it"),
        (NO_CONTEXT, "", 'docker cannot tell where its engine is (context "none": context not found'),
        (DOCKER, TUNNEL, f"what answers at {TUNNEL} is Podman, and {INSTEAD}{CHOOSE}"),
        (PODMANS_ENGINE, "", f"what answers is Podman 28.2.2, and {INSTEAD}{CHOOSE}"),
        (ELSEWHERE, "", "(far, kernel 6.10"),
        (DOCKER, "", "this Docker Engine is rootless"),
    ],
)
def test_an_engine_that_podpath_cannot_work_with_is_one_sentence(
    client: str, host: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text(client)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(PodpathError) as raised:
        check_place()
        check_engine()
    assert said in str(raised.value) and "\n" not in str(raised.value)
