"""Servers on addresses of the loopback interface, asked by the program itself."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.evidence import dnsask
from scripts.evidence.dnsask import DnsReply

ANSWERS, SILENT, NOBODY, SILENT_TOO = (f"127.0.53.{n}" for n in range(1, 5))
RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + socket.inet_aton("10.1.2.3")
"""An A record of the name that was asked for (RFC 1035, 4.1.4)."""


def bound(ip: str) -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind((ip, 53))
    except PermissionError:
        server.close()
        pytest.skip("only root may listen on port 53")
    return server


def answer(server: socket.socket) -> None:
    question, client = server.recvfrom(1500)
    head = question[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    server.sendto(head + question[12:] + RECORD, client)


@pytest.fixture
def servers() -> Iterator[None]:
    """One that answers, two that do not."""
    with ExitStack() as stack:
        one, *_ = [stack.enter_context(bound(ip)) for ip in (ANSWERS, SILENT, SILENT_TOO)]
        threading.Thread(target=answer, args=(one,), daemon=True).start()
        yield


@pytest.mark.usefixtures("servers")
def test_each_server_is_told_and_silent_ones_are_waited_for_together() -> None:
    argv = [
        "timeout",
        f"{1.9 * dnsask.PATIENCE}",
        *dnsask.argv("a.test", (ANSWERS, SILENT, NOBODY, SILENT_TOO)),
    ]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert dnsask.read(done.stdout) == {
        ANSWERS: DnsReply("NOERROR", ("10.1.2.3",)),
        SILENT: DnsReply("silent"),
        NOBODY: DnsReply("no listener"),
        SILENT_TOO: DnsReply("silent"),
    }
