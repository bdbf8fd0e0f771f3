"""Which probes are asked: all, some with the positive controls that they need, or the doors only."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scripts.checks.base import Probe
from scripts.errors import UsageError

Probes = Sequence[tuple[str, Probe]]
"""Probes, each with its lab."""


def chosen(every: Probes, lab: str, text: str) -> list[tuple[str, Probe]]:
    """The probes that the filters leave, and their positive controls.

    A text that is the id of a probe or a claim selects just these; any other text is searched for.

    Raises UsageError for an unknown lab or a text that no probe contains.
    """
    labs = [*dict.fromkeys(name for name, _ in every)]
    if lab and lab not in labs:
        raise UsageError(f"there is no lab {lab!r}: choose from {', '.join(labs)}.")
    here = [one for name, one in every if lab in ("", name)]
    sought = text.lower()
    wanted = {one.id for one in here if sought in (one.id.lower(), one.claim.lower())}
    wanted = wanted or {one.id for one in here if sought in f"{one.id} {one.claim} {one}".lower()}
    if not wanted:
        raise UsageError(f"no probe has {text!r} in its id, claim or sentence: see scripts/probe --list.")
    return with_controls(every, wanted)


def of_claims(every: Probes, claims: Collection[str]) -> list[tuple[str, Probe]]:
    """The probes of these claims, and their positive controls."""
    return with_controls(every, {one.id for _, one in every if one.claim in claims})


def with_controls(every: Probes, wanted: set[str]) -> list[tuple[str, Probe]]:
    """The probes of these ids, their positive controls and what they rest on, in the order of ``every``."""
    controls = {one.id: (*one.controls, *one.rests_on) for _, one in every}
    reached, fresh = set(wanted), set(wanted)
    while fresh:
        fresh = {control for id in fresh for control in controls[id]} - reached
        reached |= fresh
    return [(name, one) for name, one in every if one.id in reached]
