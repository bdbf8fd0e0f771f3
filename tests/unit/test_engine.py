"""Which sentence an Engine that does not answer is worth; none of these touches Docker."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from scripts.cluster import engine
from scripts.errors import PodpathError

DENIED = "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock"
DEAD = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was installed and started."""
    seen: list[str] = []
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "install", lambda wanted: seen.append("install"))
    monkeypatch.setattr(engine, "_start", lambda: seen.append("start"))
    return seen


@pytest.mark.parametrize(
    ("said", "host", "root", "told"),
    [
        (DENIED, "", True, "Docker is here but refuses this user: add it to the group `docker`"),
        (DENIED, "", False, "Docker is here but refuses this user: add it to the group `docker`"),
        (DEAD, "tcp://127.0.0.1:1", True, "no Docker Engine answers at DOCKER_HOST=tcp://127.0.0.1:1"),
        (DEAD, "", False, "no Docker Engine answers: start Docker, or run this as root on Debian or Ubuntu"),
    ],
)
def test_an_engine_that_cannot_be_had_is_one_sentence_and_nothing_is_installed(
    said: str, host: str, root: bool, told: str, done: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if host:
        monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setattr(engine, "refusal", lambda: said)
    monkeypatch.setattr(engine, "may_install", lambda: root)
    with pytest.raises(PodpathError) as error:
        engine.ensure_engine()
    assert str(error.value).startswith(told) and error.value.exit_code == 3
    assert done == []


@pytest.mark.parametrize(("said", "steps"), [(None, []), (DEAD, ["install", "start"])])
def test_an_engine_that_answers_is_used_as_it_is_and_a_dead_one_started(
    said: str | None, steps: list[str], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "refusal", lambda: said)
    monkeypatch.setattr(engine, "may_install", lambda: True)
    engine.ensure_engine()
    assert done == steps
