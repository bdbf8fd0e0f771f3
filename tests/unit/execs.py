"""What runs in the made-up cluster: programs with their limits, scripts of several, and what stays behind."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from scripts.transport.executor import Place

IN_TURN = re.compile(r"printf '(\w+) begin %s\\n' (\S+); error=\$\((.+?) 2>&1 >&3\)", re.DOTALL)
STARTED = re.compile(r"^\( (.+?) >\$dir/(\d+)\.out 2>", re.DOTALL | re.MULTILINE)
TOLD = re.compile(r"printf '(\w+) begin %s\\n' (\S+); cat \$dir/(\d+)\.out")


def untimed(argv: Sequence[str]) -> Sequence[str]:
    """A program without the limits and variables that are put before it."""
    while argv[0] == "timeout" or (argv[0] == "env" and len(argv) > 2):
        argv = argv[4:] if argv[1] == "-k" else argv[2:]
    return argv


@cache
def words(command: str) -> Sequence[str]:
    """A command's words; the same commands come again and again."""
    return shlex.split(command)


def scripted(script: str) -> tuple[str, dict[str, Sequence[str]]]:
    """A script's boundary and its commands by key: see ``scripts.transport.frames``."""
    started = {number: command for command, number in STARTED.findall(script)}
    found = [(mark, key, started[number]) for mark, key, number in TOLD.findall(script)]
    found = found or IN_TURN.findall(script)
    return found[0][0], {key.strip("'"): untimed(words(command)) for _, key, command in found}


@dataclass
class Program:
    """What runs in the background: ``since`` is where its capture begins, ``lines`` what it has printed."""

    kind: str
    place: Place
    argv: Sequence[str]
    since: int
    lines: list[str] = field(default_factory=list)
