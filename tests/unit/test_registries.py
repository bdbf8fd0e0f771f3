"""What can be pulled is asked for once, through the engine, and a registry that is silent delays little."""

from __future__ import annotations

import os
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

import pytest

from scripts.build import registries as module
from scripts.build.registries import Registries, host_of

DOCKER = """#!/bin/sh
echo "$@" >> "$FAKE_LOG"
case "$1 $2" in
    "info --format") echo "$FAKE_MIRRORS" ;;
    "image inspect") [ "$5" != "$FAKE_LOCAL" ] || echo sha256:0a1b ;;
    pull*) [ -z "$FAKE_REFUSES" ] ;;
esac
"""


class Engine(socketserver.ThreadingUnixStreamServer):
    """Stands for the engine: answers by the tag of the image, or not at all."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()
        super().__init__(str(path), Handler)


class Handler(BaseHTTPRequestHandler):
    """``…:200`` is answered by 200, ``…:silent`` by nothing."""

    server: Engine

    def do_GET(self) -> None:
        image = unquote(self.path).removeprefix("/distribution/").removesuffix("/json")
        self.server.asked.append(image)
        status = image.partition("@")[0].rpartition(":")[2]
        if status == "silent":
            self.server.over.wait()
            return
        self.send_response(int(status))
        self.end_headers()

    def address_string(self) -> str:
        return "the client"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine that tells what registries say, with a client beside it; it has no mirror."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in ("LOG", "MIRRORS", "REFUSES", "LOCAL"):
        monkeypatch.setenv(f"FAKE_{name}", str(tmp_path / "log") if name == "LOG" else "")
    monkeypatch.setattr(module, "socket", lambda: str(tmp_path / "engine"))
    with Engine(tmp_path / "engine") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "there"), [(200, True), (401, True), (429, True), (404, False), (500, False)]
)
def test_a_registry_has_what_it_answers_for(engine: Engine, status: int, there: bool) -> None:
    registries = Registries()
    assert registries.has(f"a/b:{status}") is there
    assert registries.has(f"a/b:{status}") is there and engine.asked == [f"a/b:{status}"]


def test_a_pinned_image_is_asked_for_as_it_is_pinned(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    image = f"kindest/node:200@sha256:{'0a' * 32}"
    registries = Registries()
    assert registries.has(image) and engine.asked == [image]
    assert registries.pulled(image)
    assert "✓ pull kindest/node:200 (sha256:0a0a0a0a…)" in capsys.readouterr().err


def test_what_a_mirror_has_not_may_be_elsewhere(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MIRRORS", '["http://127.0.0.1:5001/"]')
    assert Registries().has("a/b:404") and not Registries().has("other.example/a/b:404")
    monkeypatch.setenv("FAKE_MIRRORS", "[]")
    assert not Registries().has("a/b:404")


def test_a_silent_registry_is_waited_for_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    registries = Registries()
    registries.ask(["a/b:silent", "c/d:silent", "e/f:200", "other.example/a:200"])
    assert not registries.has("a/b:silent") and not registries.has("g/h:200")
    assert registries.has("other.example/a:200") and registries.has("e/f:200")
    assert sorted(engine.asked) == ["a/b:silent", "c/d:silent", "e/f:200", "other.example/a:200"]


def test_a_cut_off_network_takes_as_long_as_one_registry(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    begun = time.monotonic()
    images = [f"{host}/a:silent" for host in ("a.example", "b.example", "c.example", "d.example")]
    registries = Registries()
    registries.ask(images)
    assert not any(map(registries.has, images))
    assert time.monotonic() - begun < len(images) * 1.0, "they were asked one after the other"


def test_without_an_engine_nothing_can_be_pulled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "socket", lambda: str(tmp_path / "none"))
    assert not Registries().has("a/b:200")


def test_nobody_is_asked_where_all_is_to_be_built(engine: Engine) -> None:
    registries = Registries(off=True)
    assert not registries.has("a/b:200") and not registries.pulled("a/b:200") and engine.asked == []


def test_only_what_is_in_reach_is_pulled(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Registries().pulled("a/b:200") and not Registries().pulled("a/b:500")
    asked = (tmp_path / "log").read_text().splitlines()
    assert [line for line in asked if line.startswith("pull")] == ["pull --quiet a/b:200"]
    assert "✓ pull a/b:200" in capsys.readouterr().err
    monkeypatch.setenv("FAKE_REFUSES", "yes")
    assert not Registries().pulled("a/b:200")
    assert "✗ pull a/b:200" in capsys.readouterr().err


def test_what_docker_has_is_not_pulled_and_nobody_is_asked_for_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_LOCAL", "a/b:500")
    registries = Registries()
    assert registries.has("a/b:500") and registries.pulled("a/b:500") and engine.asked == []
    assert "pull" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("debian:bookworm-slim", "docker.io"),
        ("kindest/node:v1@sha256:00", "docker.io"),
        ("registry.k8s.io/a/b:v1", "registry.k8s.io"),
        ("localhost:5001/a:v1", "localhost:5001"),
        ("localhost/a:v1", "localhost"),
        ("docker.io/a/b", "docker.io"),
    ],
)
def test_an_image_names_its_registry(image: str, host: str) -> None:
    assert host_of(image) == host
