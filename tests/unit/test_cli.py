"""What a command line comes to: a command's exit code, or one sentence about what went wrong."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from scripts.cli import __main__ as cli
from scripts.cli import env
from scripts.cli._arguments import Stack
from scripts.errors import PodpathError, Terminated, UsageError
from scripts.paths import ROOT

AGAIN = "run scripts/env again to continue from here"
Command = Callable[[Callable[[], int | None]], list[str]]


@pytest.fixture
def doing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Lets `scripts/env` do something else, and tells in which order what happened."""
    done: list[str] = []

    def put(work: Callable[[], int | None]) -> list[str]:
        def command(stack: Stack = "kind") -> int | None:
            done.append(f"work on {stack}")
            return work()

        monkeypatch.setattr(env, "env", command)
        return done

    monkeypatch.setattr(cli, "STATE", tmp_path)
    monkeypatch.setattr(cli, "make_harmless", lambda: done.append("harmless"))
    monkeypatch.setattr(cli, "without_proxies", lambda: {})
    monkeypatch.setattr(cli, "print_anywhere", partial(_noted, done, "printable"))
    monkeypatch.setattr(signal, "signal", lambda number, to: done.append(f"on {number.name} {to.__name__}"))
    return put


def _noted(done: list[str], what: str) -> list[object]:
    done.append(what)
    return []


def raising(raised: BaseException | int | None) -> Callable[[], int | None]:
    def work() -> int | None:
        if isinstance(raised, BaseException):
            raise raised
        return raised

    return work


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (None, 0, ""),
        (UsageError("there is no lab 'x'."), 2, "podpath: there is no lab 'x'.\n"),
        (PodpathError("no cluster."), 3, "podpath: no cluster.\n"),
        (KeyboardInterrupt(), 130, f"podpath: interrupted; {AGAIN}.\n"),
    ],
)
def test_each_end_has_its_code_and_its_sentence(
    raised: BaseException | int | None,
    code: int,
    told: str,
    doing: Command,
    capfd: pytest.CaptureFixture[str],
) -> None:
    doing(raising(raised))
    assert cli.main(["env"]) == code
    assert capfd.readouterr().err == told


def test_a_bug_is_told_in_a_sentence_and_kept_whole(
    doing: Command, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    doing(raising(KeyError("x")))
    assert cli.main(["env"]) == 3
    log = tmp_path / "logs" / "crash-env.log"
    bug = f"podpath: this is a bug in podpath: KeyError('x'); please report it together with {log}.\n"
    assert capfd.readouterr().err == bug
    assert log.read_text().startswith("Traceback") and log.read_text().endswith("KeyError: 'x'\n")


def test_the_environment_is_made_harmless_before_a_command_works(doing: Command) -> None:
    done = doing(raising(0))
    assert cli.main(["env", "other"]) == 0
    assert done == ["printable", "on SIGTERM _terminated", "harmless", "work on other"]


def test_a_signal_to_end_is_an_interrupt() -> None:
    with pytest.raises(Terminated):
        cli._terminated(signal.SIGTERM, None)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["env", "--nope"], r"No such option: --nope: see scripts/env --help"),
        (["env", "kind", "more"], r"Got unexpected extra argument\(s\) \(more\): see scripts/env --help"),
        (["nope"], r"No such command 'nope': see python -m scripts\.cli --help"),
        (["--nope"], r"No such option: --nope: see python -m scripts\.cli --help"),
        (["probe", "--lab"], r".*'--lab' requires an argument: see scripts/probe --help"),
        (["bench", "--rounds", "no"], r"Invalid value for '--rounds': .*: see scripts/bench --help"),
        (["bench", "--rounds", "0"], r"Invalid value for '--rounds': .*: see scripts/bench --help"),
        (["probe", "nostack"], r"there is no stack 'nostack': .*"),
        (["probe", "--lab", "nope"], r"there is no lab 'nope': choose from .*"),
        (["up", "--labs", "nope"], r"there is no lab 'nope': choose from .*"),
        (["probe", "-k", ""], r"-k is followed by nothing: type a value, or see scripts/probe --help"),
        (["up", "--labs= "], r"--labs is followed by nothing: type a value, or see scripts/up --help"),
        (["env", ""], r"an argument is empty: type a value, or see scripts/env --help"),
        (["trace", "client-1", " "], r"an argument is empty: type a value, or see scripts/trace --help"),
        (["probe", "../kind"], r"there is no stack '\.\./kind': .*"),
        (["bench", "kind/"], r"there is no stack 'kind/': .*"),
        (["probe", "-k", "zzz"], r"no probe has 'zzz' .*: see scripts/probe --list"),
    ],
)
def test_an_invalid_command_line_is_one_sentence_and_exit_code_2(
    argv: list[str], said: str, doing: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    done = doing(raising(0))
    assert cli.main(argv) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1, err
    assert not any(what.startswith("work") for what in done)
    assert re.fullmatch(rf"podpath: {said}\.\n", err), err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_explains_itself(name: str, doing: Command, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"Usage: scripts/{name} ") and err == ""


def test_only_the_command_that_is_asked_for_is_imported() -> None:
    code = (
        "import sys; from scripts.cli.__main__ import main; main(['env'])\n"
        "print(sorted(name for name in sys.modules if name.startswith('scripts.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "['scripts.cli.__main__', 'scripts.cli._arguments', 'scripts.cli.env']\n"
