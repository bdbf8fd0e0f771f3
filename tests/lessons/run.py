"""Runs a lesson from its first block to its last, and says for each output what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import PodpathError
from tests.lessons.document import Block, Lesson, Step
from tests.lessons.shape import Kind, Line, compared, holds

TRIES = 20
"""How often a block whose output depends on chance is run until it has its documented form."""
Run = Callable[[str], list[str]]
"""Runs a command, and returns the lines of its output. Raises PodpathError if it does not end."""


@dataclass(frozen=True)
class Told:
    """A step with its output, documented and now."""

    step: Step
    lines: tuple[Line, ...]

    @property
    def holds(self) -> bool:
        """Whether the output has the documented form."""
        return holds(self.lines)


def outputs(lesson: Lesson, run: Run) -> Iterator[tuple[Block, list[Told]]]:
    """Each block of a lesson once it has run; one that is not shown has no outputs.

    Raises PodpathError, with the block's place, for a command that does not end.
    """
    last: list[str] = []
    for block in lesson.blocks:
        if block.not_run:
            yield block, []
            continue
        tries: list[list[list[str]]] = []
        while not tries or (len(tries) < TRIES and block.by_chance and _differs(block, tries[-1])):
            try:
                tries.append(_typed(block, run, last))
            except PodpathError as error:
                raise PodpathError(f"{lesson.path}:{block.line}: {error}") from error
        nearest = min(tries, key=lambda now: _differs(block, now))
        last = nearest[-1] if nearest else last
        yield block, [*_told(block, nearest)] if block.shown else []


def _told(block: Block, now: Sequence[Sequence[str]]) -> Iterator[Told]:
    for step, output in zip(block.steps, now, strict=True):
        yield Told(step, tuple(compared(step.output, output)))


def _differs(block: Block, now: Sequence[Sequence[str]]) -> int:
    """In how many lines the outputs of a block differ."""
    kinds = [line.kind for told in _told(block, now) for line in told.lines]
    return kinds.count(Kind.GONE) + kinds.count(Kind.NEW)


def _typed(block: Block, run: Run, last: list[str]) -> list[list[str]]:
    """The outputs of a block's steps; its last one, if that mends the cluster, is run whatever happens."""
    *steps, final = block.steps if block.mended else (*block.steps, None)
    found: list[list[str]] = []
    try:
        for step in steps:
            assert step is not None
            found.append(run(step.command) if step.command else found[-1] if found else last)
    finally:
        if final is not None:
            found.append(run(final.command))
    return found


def difference(path: Path, told: Told) -> str:
    """Where an output differs, and how: the documented lines with a minus, those of now with a plus."""
    marks = {Kind.SAME: "  ", Kind.ELIDED: "  ", Kind.GONE: "- ", Kind.NEW: "+ "}
    command = told.step.command.replace("\n", "\n  ") or "(more of the output before)"
    lines = [f"{path}:{told.step.line}: $ {command}"]
    lines += [
        f"{marks[line.kind]}{line.documented or line.now}"
        for line in told.lines
        if line.kind is not Kind.ELIDED or line.documented
    ]
    return "\n".join(lines)
