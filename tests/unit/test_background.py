"""Programs between two execs, with a real shell: started, looked at, stopped; and the scripts that run so."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from scripts.checks.converge import ASK, WATCH
from scripts.checks.hang import SIGNAL
from scripts.transport.background import start
from scripts.transport.executor import CompletedExec, Place, PodExecError
from scripts.waiting import eventually

HERE = Place("here")


def local(place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> CompletedExec:
    """Runs on this machine what would run in a container."""
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout)
    return CompletedExec(tuple(argv), done.stdout, done.stderr, done.returncode, 0.0)


def test_a_program_runs_between_execs_and_leaves_nothing() -> None:
    program = start(
        local, HERE, ["sh", "-c", "echo on stderr >&2; echo ready; exec tail -f /dev/null"], "ready"
    )
    assert program.peek() == b"ready\n"
    done = program.stop()
    assert (done.stdout, done.stderr, done.returncode) == (b"ready\n", b"on stderr\n", 0)
    assert not [*Path(program.file).parent.glob(Path(program.file).name + "*")]


def test_what_it_says_on_stderr_can_be_the_sign() -> None:
    program = start(
        local, HERE, ["sh", "-c", "echo listening on any >&2; exec tail -f /dev/null"], "listening on"
    )
    assert program.stop().stderr == b"listening on any\n"


def test_a_program_writes_its_end_before_it_is_read() -> None:
    script = "trap 'echo the end; exit 0' TERM; echo ready; while :; do :; done"
    program = start(local, HERE, ["sh", "-c", script], "ready")
    assert program.stop().stdout == b"ready\nthe end\n"


def test_a_program_that_ends_at_once_is_told_with_its_last_word() -> None:
    with pytest.raises(PodExecError, match=r"^sh did not start in here: no permission$"):
        start(local, HERE, ["sh", "-c", "echo first >&2; echo no permission >&2; exit 3"], "never")


def test_a_program_that_is_missing_is_told() -> None:
    with pytest.raises(PodExecError, match=r"did not start in here: .*podpath-nope"):
        start(local, HERE, ["podpath-nope"], "never")


def program_of(folder: Path, name: str, body: str) -> None:
    """A program that stands in for another one on PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_the_watch_tells_when_a_rule_comes_and_goes(stand_ins: Path) -> None:
    rules = stand_ins / "rules"
    other = "-A KUBE-SEP-X -j DNAT --to-destination 10.244.1.70:80\n"
    rules.write_text(other)
    program_of(stand_ins, "iptables-save", f"cat {rules}")
    watch = start(local, HERE, ["sh", "-c", WATCH, "sh", "10.244.1.7", "iptables-save -t nat"], "0$")

    def states() -> list[str]:
        return [line.split()[1] for line in watch.peek().decode().splitlines()]

    def seen(count: int) -> list[str] | None:
        return states() if len(states()) == count else None

    try:
        rules.write_text(other + "-A KUBE-SEP-Y -j DNAT --to-destination 10.244.1.7:80\n")
        assert eventually(lambda: seen(2), 20, "the rule", every=0.01) == ["0", "1"]
        rules.write_text(other)
        assert eventually(lambda: seen(3), 20, "its end", every=0.01) == ["0", "1", "0"]
    finally:
        lines = watch.stop().stdout.decode().splitlines()
    times = [int(line.split()[0]) for line in lines]
    assert times == sorted(times) and all(time > 10**18 for time in times), "nanoseconds since 1970"


def test_the_asker_tells_who_answered_each_request(stand_ins: Path) -> None:
    program_of(stand_ins, "curl", 'n=$(cat n 2>/dev/null); echo "$n." >n; [ "$n" = . ] || printf spare')
    argv = ["sh", "-c", f"cd {stand_ins}; {ASK.replace('$1', '$2')}", "sh", "x", "http://10.96.0.80/whoami"]
    asker = start(local, HERE, argv, " ")
    eventually(lambda: asker.peek().count(b"\n") >= 3, 20, "three requests", every=0.01)
    lines = [line.split(" ") for line in asker.stop().stdout.decode().splitlines()[:3]]
    assert [who for _, _, who in lines] == ["spare", "-", "spare"]
    assert all(int(begun) <= int(ended) for begun, ended, _ in lines)


def halted(stat: Path) -> bool:
    return ") T " in stat.read_text()


def going(stat: Path) -> bool:
    return not halted(stat)


def test_the_signal_goes_to_nginx_workers_only_and_says_so(tmp_path: Path) -> None:
    """Against a made-up /proc that names only processes of this test: a real one has others' workers."""
    script = SIGNAL.replace("/proc/", f"{tmp_path}/")
    assert "/proc" not in script
    roles = {"nginx: worker process": b"STOP\n", "nginx: master process nginx": b"", "tail": b""}
    for role, said in roles.items():
        with subprocess.Popen(["tail", "-f", "/dev/null"]) as process:
            (tmp_path / str(process.pid)).mkdir()
            (tmp_path / str(process.pid) / "cmdline").write_text(role)
            stat = Path(f"/proc/{process.pid}/stat")
            try:
                assert local(HERE, ["sh", "-c", script, "sh", "STOP"]).stdout == said
                if said:
                    eventually(partial(halted, stat), 20, "it to stop", every=0.01)
                    assert local(HERE, ["sh", "-c", script, "sh", "CONT"]).stdout == b"CONT\n"
                    eventually(partial(going, stat), 20, "it to go on", every=0.01)
                assert not halted(stat)
            finally:
                process.kill()
        (tmp_path / str(process.pid) / "cmdline").unlink()
