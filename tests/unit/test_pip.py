"""Packages come by pip, by the user's index and proxy, SOCKS included, and go where podpath says."""

from __future__ import annotations

import http.server
import socketserver
import struct
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from socket import create_connection

import pytest

from scripts import environment
from scripts.build import pip
from scripts.transport.process import CommandFailed

USER, PASSWORD = b"me", b"secret"


class Socks(socketserver.StreamRequestHandler):
    """RFC 1928 with a login: relays one request after the other to ``behind``, whatever was asked for."""

    behind: tuple[str, int]
    asked: list[tuple[str, int]]

    def handle(self) -> None:
        _, count = self.rfile.read(2)
        methods = self.rfile.read(count)
        self.wfile.write(bytes([5, 2 if 2 in methods else 0xFF]))
        if 2 not in methods:
            return
        _, size = self.rfile.read(2)
        user, secret = self.rfile.read(size), self.rfile.read(self.rfile.read(1)[0])
        self.wfile.write(bytes([1, (user, secret) != (USER, PASSWORD)]))
        if (user, secret) != (USER, PASSWORD):
            return
        *_, kind = self.rfile.read(4)
        assert kind == 3, "the name is looked up by the proxy"
        name = self.rfile.read(self.rfile.read(1)[0]).decode()
        self.asked.append((name, *struct.unpack(">H", self.rfile.read(2))))
        with create_connection(self.behind) as server:
            self.wfile.write(bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
            back = threading.Thread(target=self._back, args=[server])
            back.start()
            while data := self.request.recv(65536):
                server.sendall(data)
            back.join()

    def _back(self, server: object) -> None:
        while data := server.recv(65536):  # type: ignore[attr-defined]
            self.wfile.write(data)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """An index with the package `parcel`, behind a SOCKS proxy; gives the proxy, and what it was asked."""
    folder = tmp_path / "index" / "simple" / "parcel"
    folder.mkdir(parents=True)
    wheel, about = "parcel-1.0-py3-none-any.whl", "parcel-1.0.dist-info"
    with zipfile.ZipFile(folder / wheel, "w") as archive:
        archive.writestr("parcel.py", "GIFT = 1\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    serve = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    asked: list[tuple[str, int]] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        relay = type("Relay", (Socks,), {"behind": server.server_address, "asked": asked})
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), relay) as proxy:
            for one in (server, proxy):
                one.daemon_threads = True
                threading.Thread(target=one.serve_forever, daemon=True).start()
            yield f"127.0.0.1:{proxy.server_address[1]}", asked
            proxy.shutdown()
        server.shutdown()


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A user with an index of his own, and with settings that lead packages elsewhere."""
    (tmp_path / "pip.conf").write_text(f"[install]\ntarget = {tmp_path}/wrong\nroot = {tmp_path}/wrong\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://packages.example/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "packages.example")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return monkeypatch


def test_packages_come_by_a_socks_proxy_and_go_where_they_belong(
    index: tuple[str, list[tuple[str, int]]], user: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, asked = index
    user.setattr(environment, "_kept", {"ALL_PROXY": f"socks5h://me:secret@{proxy}"})
    pip.install("parcel", into=tmp_path / "right")
    assert (tmp_path / "right" / "parcel.py").read_text() == "GIFT = 1\n"
    assert {*asked} == {("packages.example", 80)}
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("login", ["you:secret@", ""])
def test_a_proxy_that_refuses_is_no_way_around(
    login: str,
    index: tuple[str, list[tuple[str, int]]],
    user: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    proxy, asked = index
    user.setattr(environment, "_kept", {"all_proxy": f"socks5h://{login}{proxy}"})
    with pytest.raises(CommandFailed):
        pip.install("parcel", into=tmp_path / "right")
    assert not asked and not (tmp_path / "right").exists()
