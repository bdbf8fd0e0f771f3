from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.probing import podexec, sections
from scripts.probing.executor import Place, PodExecError, fed
from scripts.probing.outside import exec_outside
from scripts.probing.podexec import exec_in_pod, parse_error_channel

PLACE = Place("nginx", "ns", "frontend")
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


class Socket:
    """A websocket client that plays a script of frames by channel."""

    attempts: deque[dict[int, bytes] | Exception]
    made: list[Socket]

    def __init__(
        self, configuration: Any, url: str, headers: dict[str, str], capture: bool, binary: bool
    ) -> None:
        self.url, self.headers, self.sent, self.closed = url, headers, b"", False
        played = self.attempts.popleft()
        if isinstance(played, Exception):
            raise played
        self.channels, self.sock, self._open = played, self, True
        Socket.made.append(self)

    def settimeout(self, seconds: float) -> None: ...

    def write_channel(self, channel: int, data: bytes) -> None:
        self.sent += data

    def is_open(self) -> bool:
        return self._open

    def update(self, timeout: float) -> None:
        self._open = 99 in self.channels

    def read_channel(self, channel: int) -> bytes:
        return self.channels.get(channel, b"")

    def close(self) -> None:
        self.closed = True


class Configuration:
    host = "https://127.0.0.1:6443"

    def auth_settings(self) -> dict[str, dict[str, str]]:
        return {"BearerToken": {"value": "Bearer t"}}


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    def prepare(*attempts: dict[int, bytes] | Exception) -> None:
        Socket.attempts, Socket.made = deque(attempts), []

    monkeypatch.setattr("kubernetes.stream.ws_client.WSClient", Socket)
    return prepare


def run(stdin: bytes = b"", timeout: float = 5) -> Any:
    return exec_in_pod(Configuration(), PLACE, ["echo", "a b"], stdin, timeout)  # type: ignore[arg-type]


def test_exec_brings_all_channels_home(play: Any) -> None:
    play({1: b"out", 2: b"err", 3: failure({"reason": "ExitCode", "message": "3"})})
    done = run()
    assert (done.stdout, done.stderr, done.returncode, done.args) == (b"out", b"err", 3, ("echo", "a b"))
    socket = Socket.made[0]
    assert socket.closed
    assert socket.headers == {"authorization": "Bearer t"}
    assert socket.url.startswith(
        "wss://127.0.0.1:6443/api/v1/namespaces/ns/pods/frontend/exec?container=nginx"
    )
    assert "command=echo&command=a+b" in socket.url


def test_a_lost_exit_code_is_none_and_not_success(play: Any) -> None:
    play({1: b"out"})
    assert run().returncode is None


def test_stdin_arrives_whole_in_frames(play: Any) -> None:
    play({3: SUCCESS})
    data = bytes(range(256)) * 500
    run(data)
    assert Socket.made[0].sent == data
    assert f"command={len(data)}" in Socket.made[0].url


def test_transport_is_tried_again_and_results_are_not(play: Any) -> None:
    play(OSError("connection reset"), {3: b"error dialing backend"}, {3: SUCCESS})
    assert run().returncode == 0
    play({3: failure({"reason": "ExitCode", "message": "7"})}, {3: SUCCESS})
    assert run().returncode == 7


def test_transport_that_stays_broken_is_told_in_one_line(play: Any) -> None:
    play(*[OSError("connection reset\nby peer")] * podexec.ATTEMPTS)
    with pytest.raises(PodExecError, match=r"^exec in frontend/nginx: connection reset$"):
        run()


def test_exec_ends_at_its_deadline(play: Any) -> None:
    play(*[{99: b""}] * podexec.ATTEMPTS)
    with pytest.raises(PodExecError, match="did not end within"):
        run(timeout=0.01)
    assert all(socket.closed for socket in Socket.made)


def test_fed_ends_stdin_after_its_bytes_without_closing_it() -> None:
    data = b"line\n\x00" * 50_000
    with subprocess.Popen(fed(["sh", "-c", "wc -c; exit 5"], data), stdin=-1, stdout=-1) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(data)
        process.stdin.flush()  # never closed: a websocket of protocol v4 could not either
        assert int(process.stdout.read()) == len(data)
        assert process.wait(5) == 5


def test_sections_keep_commands_apart() -> None:
    commands = {"a/1": ["printf", "it's\n"], "b": ["sh", "-c", "echo x; echo y >&2; exit 4"], "c": ["true"]}
    done = subprocess.run(sections.script(commands), capture_output=True, check=True)
    assert sections.parse(done.stdout) == {
        "a/1": sections.Output("it's\n", 0),
        "b": sections.Output("x\ny\n", 4),
        "c": sections.Output("", 0),
    }


def test_stderr_never_cuts_a_line_of_stdout() -> None:
    """A program that blocks its stdout says on stderr, meanwhile, what would land within a line."""
    blocked = "import os; os.write(1, b'first half, '); os.write(2, b'aside'); os.write(1, b'second half\\n')"
    done = subprocess.run(sections.script({"a": [sys.executable, "-c", blocked]}), capture_output=True)
    assert sections.parse(done.stdout) == {"a": sections.Output("first half, second half\naside\n", 0)}


def test_a_section_without_its_end_is_no_output() -> None:
    done = subprocess.run(sections.script({"a": ["echo", "1"], "b": ["echo", "2"]}), capture_output=True)
    cut = done.stdout[: done.stdout.rindex(sections.MARK.encode())]
    assert [*sections.parse(cut)] == ["a"]


@given(st.binary())
def test_sections_of_anything(data: bytes) -> None:
    sections.parse(data)


def test_outside_without_docker_is_a_transport_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PodExecError, match="docker is missing"):
        exec_outside(Place("podpath-outside"), ["true"])


def test_command_to_type() -> None:
    assert PLACE.command("curl", "a b") == "kubectl -n ns exec frontend -c nginx -- curl 'a b'"
    assert Place("podpath-outside").command("curl", "x") == "docker exec podpath-outside curl x"
