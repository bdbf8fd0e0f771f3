"""The list of a page: rows in groups, and the details that each row leads to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.checks.verdict import Verdict
from scripts.reporting.html import words
from scripts.reporting.html.pack import packed
from scripts.reporting.html.shell import safe

OPEN = 400 << 10
"""Characters of details that stand in the page as they are, readable without scripts; the rest is packed."""


@dataclass(frozen=True)
class Entry:
    """A row. ``verdict`` is shown; ``kind`` is what the filter finds it by.

    ``detail`` is what the row leads to, and ``hops`` are the hops that are drawn there, 0 if nothing is.
    ``weight``: of two rows the heavier one shows more of what is wrong.
    """

    number: int
    id: str
    claim: str
    lab: str
    sentence: str
    verdict: str
    kind: str
    sign: str
    tone: str
    why: str = ""
    nodes: tuple[str, ...] = ()
    detail: str = ""
    hops: int = 0
    weight: int = 0
    stops: bool = False
    """The drawing shows where the packet ended."""

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Where it stands among others if the one that shows most comes first."""
        return -self.weight, not self.stops, -self.hops


@dataclass(frozen=True)
class Group:
    """Rows of one claim under its heading; ``open``: they are shown at the start."""

    id: str
    lab: str
    sentence: str
    verdict: str
    sign: str
    tone: str
    told: str
    entries: tuple[Entry, ...]
    open: bool = False

    @property
    def best(self) -> int:
        """The number of the row that shows most."""
        return best_of(self.entries)


@dataclass(frozen=True)
class Picture:
    """What is shown of a cause: a row, and the number of the detail, which may be another than the row's.

    -1 where no row shows anything of it.
    """

    row: int
    detail: int


def best_of(entries: Iterable[Entry]) -> int:
    """The number of the row that shows most; -1 for none."""
    return min(entries, key=lambda one: one.rank).number if (entries := [*entries]) else -1


def weight(verdict: str) -> int:
    """How much a verdict asks to be looked at."""
    return 2 if verdict == Verdict.FAILED else int(verdict in words.RED)


def list_of(
    groups: Sequence[tuple[str, Sequence[Group]]],
    entries: Sequence[Entry],
    more: Sequence[tuple[int, str]] = (),
) -> dict[str, Any]:
    """What ``list.html`` and ``packed.html`` need: the rows, and their details, readable or packed.

    ``more`` are numbered details beside those of the rows.
    """
    readable = _readable(entries)
    details = [(one.number, one.detail) for one in entries if one.detail and one.number not in readable]
    return {
        "groups": groups,
        "entries": entries,
        "numbers": {entry.id: entry.number for entry in entries},
        "readable": {number: safe(entries[number].detail) for number in readable},
        "details": [*packed([*details, *more])],
    }


def _readable(entries: Sequence[Entry]) -> set[int]:
    """The rows whose details stand in the page as they are: the heaviest, then drawn ones, up to ``OPEN``."""
    order = sorted(entries, key=lambda one: (not one.weight, not one.hops, one.number))
    found, size = set(), 0
    for entry in order:
        size += len(entry.detail)
        if size > OPEN or not (entry.weight or entry.hops):
            break
        found.add(entry.number)
    return found
