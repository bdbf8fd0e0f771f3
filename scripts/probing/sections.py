"""Several commands in one exec: each framed by its key, its output and its exit code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MARK = "\x1e"
"""The record separator: no command of ours prints it."""

_SECTION = re.compile(rf"{MARK}begin (\S+)\n(.*?){MARK}end (\S+) (\d+)\n", re.DOTALL)


@dataclass(frozen=True)
class Output:
    """What one command printed (stdout, then stderr) and its exit code."""

    text: str
    returncode: int


def script(commands: Mapping[str, Sequence[str]]) -> list[str]:
    """The argv that runs every command in turn, whatever the others' exit codes.

    stderr is held back until stdout has ended: together they would mix in the middle of a line, for a
    program writes stdout by the block and stderr at once.
    """
    lines = [
        f"printf '{MARK}begin %s\\n' {shlex.quote(key)}; error=$({shlex.join(argv)} 2>&1 >&3); code=$?; "
        f"printf '%s{MARK}end %s %s\\n' \"${{error:+$error\n}}\" {shlex.quote(key)} $code"
        for key, argv in commands.items()
    ]
    return ["sh", "-c", "\n".join(["exec 3>&1", *lines])]


def parse(stdout: bytes) -> dict[str, Output]:
    """Output by key; a section that does not end is left out."""
    text = stdout.decode(errors="replace")
    return {
        begin: Output(body, int(code)) for begin, body, end, code in _SECTION.findall(text) if begin == end
    }
