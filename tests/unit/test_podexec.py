from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import ssl
import subprocess
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket import ABNF, WebSocketException, WebSocketTimeoutException

from scripts.transport import podexec
from scripts.transport.container import exec_in_container
from scripts.transport.executor import CompletedExec, Place, PodExecError, PodExecLimit, fed
from scripts.transport.podexec import exec_in_pod, parse_error_channel

PLACE = Place("nginx", "ns", "frontend")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What a websocket server appends to the client's key (RFC 6455, section 1.3)."""
SUCCESS = b'{"metadata":{},"status":"Success"}'


def failure(*causes: dict[str, str], message: str = "command terminated") -> bytes:
    details = {"causes": [*causes]}
    return json.dumps({"status": "Failure", "message": message, "details": details}).encode()


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        (SUCCESS, 0),
        (failure({"reason": "ExitCode", "message": "7"}), 7),
        (failure({"reason": "Other", "message": "x"}, {"reason": "ExitCode", "message": "137"}), 137),
        (b"", None),
        (b"  \n", None),
    ],
)
def test_error_channel_states_the_exit_code(channel: bytes, code: int | None) -> None:
    assert parse_error_channel(channel) == code


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        (b"error dialing backend: EOF", "error dialing backend"),
        (failure(message="container not found (webapp)"), "container not found"),
        (failure({"reason": "ExitCode", "message": "error executing"}, message="odd"), "odd"),
        (failure({"reason": "ExitCode", "message": "²"}, message="odd"), "odd"),
        (b"[]", "no status"),
        (b'{"status":"Failure","details":7,"message":"m"}', "m"),
    ],
)
def test_any_other_failure_is_the_transports(channel: bytes, said: str) -> None:
    with pytest.raises(PodExecError, match=said):
        parse_error_channel(channel)


@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["status", "details", "causes", "reason", "message"]), inner
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_error_channel_never_breaks_otherwise(channel: bytes) -> None:
    try:
        code = parse_error_channel(channel)
    except PodExecError:
        return
    assert code is None or code >= 0


Frame = tuple[int, bytes]
"""What arrives: the channel and its data; ``PING`` and ``SILENCE`` stand for none and for nothing."""
PING, SILENCE = -1, -2
End = Exception | list[Frame]


class Socket:
    """A websocket that plays a script of frames, and then closes."""

    attempts: deque[End]
    made: list[Socket]

    def __init__(self, sslopt: dict[str, object], skip_utf8_validation: bool) -> None:
        self.trust, self.sent, self.closed = sslopt, b"", False

    def connect(self, url: str, header: list[str], timeout: float) -> None:
        assert 0 <= timeout <= podexec.HANDSHAKE
        self.url, self.headers = url, dict(line.split(": ", 1) for line in header)
        played = self.attempts.popleft()
        if isinstance(played, Exception):
            raise played
        self.frames = deque(played)
        Socket.made.append(self)

    def settimeout(self, seconds: float) -> None:
        self.left = seconds

    def send(self, data: bytes, opcode: int) -> None:
        assert opcode == ABNF.OPCODE_BINARY and len(data) <= podexec.FRAME + 1 and data[0] == podexec.STDIN
        self.sent += data[1:]

    def recv_data_frame(self, control: bool) -> tuple[int, Any]:
        assert control and self.left > 0
        if not self.frames:
            return ABNF.OPCODE_CLOSE, SimpleNamespace(data=b"")
        channel, data = self.frames.popleft()
        if channel == SILENCE:
            raise WebSocketTimeoutException
        if channel == PING:
            return ABNF.OPCODE_PING, SimpleNamespace(data=data)
        return ABNF.OPCODE_BINARY, SimpleNamespace(data=bytes([channel]) + data)

    def close(self, timeout: float) -> None:
        assert timeout <= 1

    def shutdown(self) -> None:
        self.closed = True


class Configuration:
    host = "https://127.0.0.1:6443"
    verify_ssl, ssl_ca_cert, cert_file, key_file, tls_server_name = True, "/ca", "/cert", "/key", None

    def auth_settings(self) -> dict[str, dict[str, str]]:
        return {"BearerToken": {"value": "Bearer t"}}


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def prepare(*attempts: End) -> None:
        Socket.attempts, Socket.made = deque(attempts), []

    monkeypatch.setattr("websocket.WebSocket", Socket)
    return prepare


def run(stdin: bytes = b"", timeout: float = 5) -> CompletedExec:
    return exec_in_pod(Configuration(), PLACE, ["echo", "a b"], stdin, timeout)  # type: ignore[arg-type]


def code(number: int) -> Frame:
    return 3, failure({"reason": "ExitCode", "message": str(number)})


def test_exec_brings_all_channels_home(play: Callable[..., None]) -> None:
    play([(1, b"o"), (PING, b"1x"), (2, b"err"), (1, b""), (1, b"ut"), code(3)])
    done = run()
    assert (done.stdout, done.stderr, done.returncode, done.args) == (b"out", b"err", 3, ("echo", "a b"))
    made = Socket.made[0]
    assert made.closed
    assert made.headers["authorization"] == "Bearer t"
    assert made.trust == {
        "cert_reqs": ssl.CERT_REQUIRED,
        "ca_certs": "/ca",
        "certfile": "/cert",
        "keyfile": "/key",
    }
    assert made.url.startswith("wss://127.0.0.1:6443/api/v1/namespaces/ns/pods/frontend/exec?container=nginx")
    assert "command=echo&command=a+b" in made.url


def test_the_connection_is_closed_once_the_server_has_said_its_last() -> None:
    """Against a real websocket: else each exec would keep a connection to the API server."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        listening.settimeout(10)

        def serve() -> bytes:
            with listening.accept()[0] as peer:
                peer.settimeout(10)
                asked = peer.recv(65536)
                key = re.search(rb"(?i)sec-websocket-key: (\S+)", asked)
                assert key
                accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
                head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                peer.sendall(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
                peer.sendall(bytes([0x82, len(SUCCESS) + 1, 3]) + SUCCESS + bytes([0x88, 2, 0x03, 0xE8]))
                while peer.recv(65536):
                    pass
                return asked

        served = pool.submit(serve)
        here = Configuration()
        here.host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        done = exec_in_pod(here, PLACE, ["true"])  # type: ignore[arg-type]
        assert done.returncode == 0
        assert b"command=true" in served.result(10)


def test_a_lost_exit_code_is_none_and_not_success(play: Callable[..., None]) -> None:
    play([(1, b"out")])
    assert run().returncode is None


def test_stdin_arrives_whole_in_frames(play: Callable[..., None]) -> None:
    play([(3, SUCCESS)])
    data = bytes(range(256)) * 500
    run(data)
    assert Socket.made[0].sent == data
    assert f"command={len(data)}" in Socket.made[0].url


def test_transport_is_tried_again_and_results_are_not(play: Callable[..., None]) -> None:
    play(OSError("connection reset"), [(3, b"error dialing backend")], [(3, SUCCESS)])
    assert run().returncode == 0
    play([code(7)], [(3, SUCCESS)])
    assert run().returncode == 7


def test_transport_that_stays_broken_is_told_in_one_line(play: Callable[..., None]) -> None:
    play(*[OSError("connection reset\nby peer")] * podexec.ATTEMPTS)
    with pytest.raises(PodExecError, match=r"^exec in frontend/nginx: connection reset$"):
        run()


def test_what_a_server_says_of_its_trouble_is_made_printable(play: Callable[..., None]) -> None:
    play(*[WebSocketException("\x1b[2Jgone")] * podexec.ATTEMPTS)
    with pytest.raises(PodExecError, match=r"^exec in frontend/nginx: \\x1b\[2Jgone$"):
        run()


@pytest.mark.parametrize("silent", [[(SILENCE, b"")], [(1, b"out"), (SILENCE, b"")]])
def test_exec_ends_at_its_deadline_and_is_not_tried_again(
    silent: list[Frame], play: Callable[..., None]
) -> None:
    play(silent)
    with pytest.raises(PodExecLimit, match=r"^echo in frontend/nginx did not end within 5 s$"):
        run()
    assert [socket.closed for socket in Socket.made] == [True]


def test_exec_that_goes_on_talking_ends_at_its_deadline(play: Callable[..., None]) -> None:
    play([(1, b"more")] * 9)
    with pytest.raises(PodExecLimit, match="did not end within 0 s"):
        run(timeout=0)
    assert Socket.made[0].closed


def test_exec_that_prints_without_end_is_cut_off(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podexec, "MOST", 1 << 20)
    play([(1, b"x" * (1 << 19)), (2, b"y" * (1 << 19)), (3, SUCCESS)])
    with pytest.raises(PodExecLimit, match=r"^echo in frontend/nginx printed more than 1 MiB$"):
        run()
    assert [socket.closed for socket in Socket.made] == [True]


def test_fed_ends_stdin_after_its_bytes_without_closing_it() -> None:
    data = b"line\n\x00" * 50_000
    with subprocess.Popen(fed(["sh", "-c", "wc -c; exit 5"], data), stdin=-1, stdout=-1) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(data)
        process.stdin.flush()  # never closed: a websocket of protocol v4 could not either
        assert int(process.stdout.read()) == len(data)
        assert process.wait(5) == 5


def test_outside_without_docker_is_a_transport_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PodExecError, match="docker is missing"):
        exec_in_container(Place("podpath-outside"), ["true"])


def test_command_to_type() -> None:
    assert PLACE.command("curl", "a b") == "kubectl -n ns exec frontend -c nginx -- curl 'a b'"
    assert Place("podpath-outside").command("curl", "x") == "docker exec podpath-outside curl x"
