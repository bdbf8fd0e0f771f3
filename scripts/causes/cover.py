"""The fewest causes that explain all reds, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from scripts.causes.scene import Cause, Red


def ordered(found: Iterable[Cause], reds: Sequence[Red]) -> tuple[list[Cause], list[Cause]]:
    """The causes that explain something that no earlier one does, widest first; and those that do not.

    A cause that follows from another one on the same node is left out, and so is a weak one that explains
    nothing of its own. A red that is red only because another one is has that one's cause.
    """
    every = [replace(cause, explains=_closed(cause.explains, reds)) for cause in _roots(found)]
    open_ = {red.id for red in reds}
    chosen = _widest([cause for cause in every if not cause.weak], open_)
    chosen += _widest([cause for cause in every if cause.weak], open_)
    return chosen, [cause for cause in every if cause not in chosen and not cause.weak]


def _widest(causes: Sequence[Cause], open_: set[str]) -> list[Cause]:
    """The causes in the order of how much each adds; what they explain is taken out of ``open_``."""
    chosen: list[Cause] = []
    left = [*causes]
    while left:
        widest = max(left, key=lambda cause: len(cause.explains & open_))  # of equal ones the first
        if not widest.explains & open_:
            break
        left.remove(widest)
        chosen.append(widest)
        open_ -= widest.explains
    return chosen


def _roots(found: Iterable[Cause]) -> list[Cause]:
    """The causes without those that follow from another one, and each but once."""
    merged: dict[tuple[str, str, str], Cause] = {}
    for cause in found:
        key = (cause.kind, cause.node, cause.what)
        known = merged.get(key, cause)
        merged[key] = replace(known, explains=known.explains | cause.explains)
    every = [*merged.values()]
    hidden = {(kind, cause.node) for cause in every for kind in cause.hides}
    return [cause for cause in every if (cause.kind, cause.node) not in hidden]


def _closed(explained: frozenset[str], reds: Sequence[Red]) -> frozenset[str]:
    """With the reds that are red only because explained ones are."""
    known, grown = set[str](), set(explained)
    while grown != known:
        known = set(grown)
        grown |= {red.id for red in reds if red.derived and known & set(red.leans_on)}
    return frozenset(grown)
