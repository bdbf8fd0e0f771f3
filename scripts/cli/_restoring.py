"""Undoes what a killed run has left changed: every command that looks at the labs does this first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from scripts.clusters.base import RealExecutor, api_of
from scripts.errors import PodpathError
from scripts.progress import say
from scripts.stack.lock import lock
from scripts.stack.profile import Profile
from scripts.suite.exercise import load
from scripts.suite.journal import Changes
from scripts.suite.repairs import Repairs, reap
from scripts.tiers import Tier
from scripts.transport.rest import Rest


def journal_of(profile: Profile) -> Changes:
    """The stack's journal of changes that are to be undone."""
    return Changes(profile.folder / "journal.jsonl")


def repairs_of(profile: Profile, api: Rest) -> Repairs:
    """What the stack's faults have damaged and not yet undone."""
    return Repairs(profile.folder / "faults.jsonl", api)


def exercise_of(profile: Profile) -> Path:
    """Where a stack's exercise is kept while it lasts."""
    return profile.folder / "exercise.json"


def exercise_goes_on(profile: Profile) -> bool:
    """Whether somebody is looking for a fault whose cause is not revealed yet."""
    exercise = load(exercise_of(profile))
    return exercise is not None and not exercise.revealed


def restore_faults(
    profile: Profile, exercises: bool = False, sweep: bool = False, tell: Callable[[str], None] = say
) -> list[str]:
    """Undoes the faults that a killed run has left, and names them; the caller holds the same lock.

    ``exercises``: also what a learner is looking for; ``sweep``: marks on the nodes are looked for, too.
    Raises PodpathError when no cluster answers.
    """
    api = api_of(profile)
    ours, sweep = profile.terms is None, sweep and profile.tier >= Tier.BREAK
    undone = reap(repairs_of(profile, api), api, RealExecutor(api), tell, exercises, sweep, ours)
    if exercises:
        exercise_of(profile).unlink(missing_ok=True)
    return undone


def restore_first(profile: Profile, exercises: bool = False, sweep: bool = False) -> None:
    """Undoes what a killed run has left; the caller holds the lock of `scripts/probe`.

    See ``restore_faults`` for ``exercises`` and ``sweep``. Raises PodpathError when no cluster answers.
    """
    restore_faults(profile, exercises, sweep)
    journal = journal_of(profile)
    if journal.pending():
        api = api_of(profile)
        journal.replay(api, RealExecutor(api), say)


def restore_alone(profile: Profile, exercises: bool = False, sweep: bool = False) -> None:
    """The same for a command that does not hold that lock: a run that is still going keeps its changes.

    See ``restore_faults`` for ``exercises`` and ``sweep``.
    """
    api = api_of(profile)
    if sweep or journal_of(profile).pending() or repairs_of(profile, api).pending(exercises):
        with lock(profile.cluster, "scripts/probe"):
            restore_first(profile, exercises, sweep)


def restore_last(profile: Profile) -> None:
    """The same before a stack is torn down, as far as it still answers; never raises."""
    with suppress(PodpathError):
        restore_alone(profile, exercises=True)
