"""Which sentence an Engine that does not answer is worth; none of these touches Docker."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.build import engine
from scripts.errors import PodpathError
from scripts.transport.process import start_time

DENIED = "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock"
OLD = "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44."
DEAD = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was installed and started."""
    seen: list[str] = []
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "install", lambda wanted: seen.append("install"))
    monkeypatch.setattr(engine, "start_engine", lambda: seen.append("start"))
    return seen


@pytest.mark.parametrize(
    ("said", "host", "root", "told"),
    [
        (DENIED, "", True, "Docker refuses this user: add the user to the group `docker`"),
        (DENIED, "", False, "Docker refuses this user: add the user to the group `docker`"),
        (OLD, "", True, f"Docker's client and engine do not fit ({OLD.rstrip('.')}): install a client of"),
        (DEAD, "unix:///proc/none", True, "no Docker Engine answers at DOCKER_HOST=unix:///proc/none"),
        (DEAD, "tcp://127.0.0.1:1", True, "the Docker Engine is at tcp://127.0.0.1:1, and podpath needs"),
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


ME = os.getpid()


@pytest.mark.parametrize(
    ("record", "own"),
    [
        (None, None),
        ("", None),
        ("{half", None),
        (json.dumps({"pid": ME, "started": start_time(ME)}), ME),
        (json.dumps({"pid": ME, "started": "0"}), None),
        (json.dumps({"pid": 2**22 + 1, "started": "0"}), None),
    ],
    ids=["no record", "empty", "half", "it runs", "another of its number", "it has ended"],
)
def test_our_own_engine_is_known_by_its_number_and_its_start(
    record: str | None, own: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "cache", lambda: tmp_path)
    if record is not None:
        (tmp_path / "dockerd.json").write_text(record)
    assert engine.own_engine() == own
