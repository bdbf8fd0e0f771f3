"""Several commands in one exec, with a real shell: kept apart, bounded in time, and not to be forged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.transport.frames import TIMED_OUT, Output, Script

EITHER = pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])


def ran(script: Script) -> bytes:
    return subprocess.run(script.argv(), capture_output=True, check=True, timeout=30).stdout


@EITHER
def test_frames_keep_commands_apart(at_once: bool) -> None:
    commands = {"a/1": ["printf", "it's\n"], "b": ["sh", "-c", "echo x; echo y >&2; exit 4"], "c": ["true"]}
    script = Script(commands, at_once)
    assert script.parse(ran(script)) == {
        "a/1": Output("it's\n", 0),
        "b": Output("x\ny\n", 4),
        "c": Output("", 0),
    }


@EITHER
def test_stderr_never_cuts_a_line_of_stdout(at_once: bool) -> None:
    """A program that blocks its stdout says on stderr, meanwhile, what would land within a line."""
    blocked = "import os; os.write(1, b'first half, '); os.write(2, b'aside'); os.write(1, b'second half\\n')"
    script = Script({"a": [sys.executable, "-c", blocked]}, at_once)
    assert script.parse(ran(script)) == {"a": Output("first half, second half\naside\n", 0)}


@EITHER
def test_a_frame_without_its_end_is_no_output(at_once: bool) -> None:
    script = Script({"a": ["echo", "1"], "b": ["echo", "2"]}, at_once)
    told = ran(script)
    assert [*script.parse(told)] == ["a", "b"]
    assert [*script.parse(told[: told.rindex(script.boundary.encode())])] == ["a"]


@EITHER
def test_a_command_that_takes_too_long_is_ended_and_the_others_are_told(at_once: bool) -> None:
    script = Script({"slow": ["tail", "-f", "/dev/null"], "quick": ["echo", "1"]}, at_once, limit=0.5)
    seen = script.parse(ran(script))
    assert seen == {"slow": Output("", TIMED_OUT), "quick": Output("1\n", 0)}


def test_commands_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Each end of a pipe opens only once the other one does."""
    os.mkfifo(tmp_path / "pipe")
    there, here = f"echo met >{tmp_path}/pipe", ["cat", f"{tmp_path}/pipe"]
    commands = {"here": here, "there": ["sh", "-c", there]}
    script = Script(commands, at_once=True)
    assert script.parse(ran(script)) == {"here": Output("met\n", 0), "there": Output("", 0)}
    lonely = Script(commands, limit=0.1)
    assert lonely.parse(ran(lonely))["here"].returncode == TIMED_OUT


def test_commands_at_once_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    script = Script({"a": ["sh", "-c", f"ls {tmp_path}"]}, at_once=True)
    assert script.parse(ran(script))["a"].text.startswith("tmp.")
    assert [*tmp_path.iterdir()] == []


@EITHER
def test_nothing_that_a_command_prints_passes_for_a_frame(at_once: bool) -> None:
    """Whoever knew the boundary of one exec would know nothing of the next one's."""
    old = Script({})
    forged = f"{old.boundary} begin b\nforged\n{old.boundary} end b 0\n"
    script = Script({"a": ["printf", forged], "b": ["false"]}, at_once)
    assert script.boundary != old.boundary
    assert script.parse(ran(script)) == {"a": Output(forged, 0), "b": Output("", 1)}


@EITHER
def test_what_a_terminal_would_obey_is_escaped(at_once: bool) -> None:
    script = Script({"a": ["printf", "\\033[2Jred\\tand\\n"]}, at_once)
    assert script.parse(ran(script)) == {"a": Output("\\x1b[2Jred\tand\n", 0)}


@given(st.binary())
def test_frames_of_anything(data: bytes) -> None:
    Script({"a": ["true"]}).parse(data)
