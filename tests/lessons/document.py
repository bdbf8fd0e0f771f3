"""A lesson's text as blocks of commands with their outputs, each with its place in the file.

A block is fenced by three backticks. ``console`` blocks hold commands after "$ " (and "> " where one goes
on), each followed by its output; one that begins without a command shows more of the last output. ``sh``
blocks set variables for those after them. A comment on the line before a block says what is special of it:

    <!-- lesson: by chance -->                       run again until the output has this form
    <!-- lesson: mended by its last command -->      changes the cluster; that command is run whatever happens
    <!-- lesson: not run: it makes a new cluster --> shown as it is, and never compared
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scripts.errors import PodpathError

CHANCE, MENDED, NOT_RUN = "by chance", "mended by its last command", "not run: "
PROMPT, MORE, FENCE = "$ ", "> ", "```"
RUN = ("console", "sh")
"""Languages of blocks that are commands."""
ASKING = "scripts/"
"""An sh block with this in it is for the reader to type: it asks questions, or makes clusters."""

_MARK = re.compile(r"<!-- lesson: (.+) -->")


class Span(NamedTuple):
    """Lines of a file from ``first`` to before ``end``, counted from 0."""

    first: int
    end: int


@dataclass(frozen=True)
class Step:
    """A command and the output that is documented; ``command`` is empty where a block shows more of the last.

    ``output`` lies at ``span``; ``line`` is that of the command, from 1.
    """

    command: str
    output: tuple[str, ...]
    line: int
    span: Span


@dataclass(frozen=True)
class Block:
    """A block that is run, with what its comment says."""

    language: str
    line: int
    steps: tuple[Step, ...]
    by_chance: bool = False
    mended: bool = False
    not_run: str = ""

    @property
    def shown(self) -> bool:
        """Whether its outputs are compared."""
        return self.language == "console" and not self.not_run


@dataclass(frozen=True)
class Lesson:
    """A file with its blocks, in order."""

    path: Path
    lines: tuple[str, ...]
    blocks: tuple[Block, ...]


def lesson_of(path: Path) -> Lesson:
    """The lesson in a file; raises PodpathError, with the line, for a comment that says nothing known."""
    lines = tuple(path.read_text().split("\n"))
    return Lesson(path, lines, tuple(_blocks(path, lines)))


def _blocks(path: Path, lines: Sequence[str]) -> Iterator[Block]:
    start, language = -1, ""
    for number, line in enumerate(lines):
        if not line.startswith(FENCE):
            continue
        if start < 0:
            start, language = number, line.removeprefix(FENCE)
            continue
        if language in RUN:
            yield _block(path, lines, Span(start + 1, number), language)
        start = -1
    if start >= 0:
        raise PodpathError(f"{path}:{start + 1}: this block has no end: close it with {FENCE}.")


def _block(path: Path, lines: Sequence[str], span: Span, language: str) -> Block:
    before = lines[span.first - 2] if span.first > 1 else ""
    marks = found[1].split("; ") if (found := _MARK.fullmatch(before)) else []
    not_run = next((mark.removeprefix(NOT_RUN) for mark in marks if mark.startswith(NOT_RUN)), "")
    for mark in marks:
        if mark not in (CHANCE, MENDED) and not mark.startswith(NOT_RUN):
            raise PodpathError(
                f"{path}:{span.first - 1}: {mark!r} is unknown: write {CHANCE!r}, {MENDED!r} or '{NOT_RUN}…'."
            )
    text = lines[span.first : span.end]
    if language == "sh":
        not_run = not_run or (f"it has {ASKING} in it" if any(ASKING in line for line in text) else "")
        steps = [Step("\n".join(text), (), span.first + 1, Span(span.end, span.end))]
    else:
        steps = [*_steps(lines, span)]
    return Block(language, span.first, tuple(steps), CHANCE in marks, MENDED in marks, not_run)


def _steps(lines: Sequence[str], span: Span) -> Iterator[Step]:
    number = span.first
    while number < span.end:
        line, command = number, []
        if lines[number].startswith(PROMPT):
            command = [lines[number].removeprefix(PROMPT)]
            number += 1
            while number < span.end and lines[number].startswith(MORE):
                command.append(lines[number].removeprefix(MORE))
                number += 1
        first = number
        while number < span.end and not lines[number].startswith(PROMPT):
            number += 1
        yield Step("\n".join(command), tuple(lines[first:number]), line + 1, Span(first, number))


def rewritten(lesson: Lesson, outputs: Sequence[tuple[Span, Sequence[str]]]) -> str:
    """The lesson's text with other outputs in the place of those at some spans."""
    lines = [*lesson.lines]
    for span, output in sorted(outputs, reverse=True):
        lines[span.first : span.end] = output
    return "\n".join(lines)
