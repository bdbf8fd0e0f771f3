"""Proxies of Docker's client: they reach no container of ours, and all else of the configuration stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.dockerconfig import without_proxies
from scripts.paths import cache

PROXIES = {"default": {"httpProxy": "http://p:1", "noProxy": "a,b", "unknown": "x"}, "tcp://far": {}}
CONFIG = {"auths": {"registry.example": {"auth": "eA=="}}, "currentContext": "mine", "proxies": PROXIES}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of the client's configuration."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = tmp_path / ".docker"
    (made / "contexts").mkdir(parents=True)
    (made / "contexts" / "meta.json").write_text("{}")
    return made


@pytest.mark.parametrize("named", [True, False])
def test_proxies_are_for_downloads_only(named: bool, folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    environ = {"DOCKER_CONFIG": str(folder)} if named else {"HOME": str(tmp_path)}
    for _again in range(2):
        assert without_proxies(environ) == {"http_proxy": "http://p:1", "no_proxy": "a,b"}
        copy = Path(environ.pop("DOCKER_CONFIG"))
        assert copy == cache() / "docker" and copy.stat().st_mode & 0o777 == 0o700
        file = copy / "config.json"
        assert json.loads(file.read_text()) == {k: v for k, v in CONFIG.items() if k != "proxies"}
        assert file.stat().st_mode & 0o777 == 0o600 and (copy / "contexts" / "meta.json").exists()
        environ |= {"DOCKER_CONFIG": str(folder)} if named else {}
    assert json.loads((folder / "config.json").read_text()) == CONFIG


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"auths": {}}', "\x00"])
def test_a_configuration_without_proxies_is_used_as_it_is(text: str | None, folder: Path) -> None:
    if text is not None:
        (folder / "config.json").write_text(text)
    environ = {"DOCKER_CONFIG": str(folder)}
    assert without_proxies(environ) == {} and environ == {"DOCKER_CONFIG": str(folder)}
    assert not cache().exists()


@pytest.mark.parametrize("proxies", [3, [], None, {"default": 3}, {"default": {"httpProxy": ""}}])
def test_proxies_of_another_kind_are_none(proxies: object, folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"proxies": proxies}))
    environ = {"DOCKER_CONFIG": str(folder)}
    assert without_proxies(environ) == {}
    assert json.loads((Path(environ["DOCKER_CONFIG"]) / "config.json").read_text()) == {}
