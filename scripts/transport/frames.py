"""Several commands in one exec: each framed by its key, its output and its exit code.

The frames carry a random boundary, so that nothing that a command prints can pass for one. Each command has a
time limit of its own; those that run side by side cost each other nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.transport.executor import printable
from scripts.transport.tokens import token

LIMIT = 20.0
"""Seconds that one command may take."""
TIMED_OUT = 124
"""The exit code of timeout(1) for a command that took longer."""


@dataclass(frozen=True)
class Output:
    """What one command printed (stdout, then stderr) and its exit code."""

    text: str
    returncode: int


@dataclass(frozen=True)
class Script:
    """Commands by their keys, as one program.

    ``at_once``: they run side by side, and their output is kept in a temporary folder until all have ended;
    else in turn. stderr is held back until stdout has ended: together they would mix in the middle of a
    line, for a program writes stdout by the block and stderr at once.
    """

    commands: Mapping[str, Sequence[str]]
    at_once: bool = False
    limit: float = LIMIT
    boundary: str = field(default_factory=lambda: token(8, "frames"))

    def argv(self) -> list[str]:
        """The program, whatever the commands' exit codes."""
        return ["sh", "-c", "\n".join(self._side_by_side() if self.at_once else self._in_turn())]

    def parse(self, stdout: bytes) -> dict[str, Output]:
        """Output by key; a frame that does not end is left out."""
        mark = re.compile(rf"{re.escape(self.boundary)} (?:begin (\S+)|end (\S+) (\d+))\n")
        text, found = stdout.decode(errors="replace"), dict[str, Output]()
        key, start = "", 0
        for frame in mark.finditer(text):
            begun, ended, code = frame.groups()
            if ended and ended == key:
                found[key] = Output(printable(text[start : frame.start()]), int(code))
            key, start = begun or "", frame.end()
        return found

    def _limited(self, argv: Sequence[str]) -> str:
        return f"timeout -k 1 {self.limit:g} {shlex.join(argv)}"

    def _in_turn(self) -> list[str]:
        lines = [
            f"printf '{self.boundary} begin %s\\n' {shlex.quote(key)}; "
            f"error=$({self._limited(argv)} 2>&1 >&3); code=$?; "
            f"printf '%s{self.boundary} end %s %s\\n' \"${{error:+$error\n}}\" {shlex.quote(key)} $code"
            for key, argv in self.commands.items()
        ]
        return ["exec 3>&1", *lines]

    def _side_by_side(self) -> list[str]:
        started = [
            f"( {self._limited(argv)} >$dir/{n}.out 2>$dir/{n}.err; echo $? >$dir/{n}.code ) &"
            for n, argv in enumerate(self.commands.values())
        ]
        told = [
            f"printf '{self.boundary} begin %s\\n' {shlex.quote(key)}; cat $dir/{n}.out; "
            f"error=$(cat $dir/{n}.err); printf '%s{self.boundary} end %s %s\\n' "
            f'"${{error:+$error\n}}" {shlex.quote(key)} $(cat $dir/{n}.code)'
            for n, key in enumerate(self.commands)
        ]
        return ["dir=$(mktemp -d) || exit 1", *started, "wait", *told, "rm -rf $dir"]
