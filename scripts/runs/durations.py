"""Which timings of two runs differ by more than noise.

A run's figures are one sample of a machine that may be busy, so they are held against those of other runs of
the stack that asked the same probes: beyond noise is what lies outside all of theirs, and by a quarter more.
Where there are too few of them, only large changes of requests and of the whole run are told. Requests are
compared probe by probe, and must nearly all have moved the same way: a sign test, which two runs that are
alike pass once in ``CHANCE``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from scripts.checks.verdict import Verdict
from scripts.runs.comparison import TimingChange
from scripts.runs.document import Run
from scripts.runs.masked import without_ends

FACTOR, ALONE, SPARE = 1.5, 3.0, 1.25
"""By what a figure must differ; by what where few runs are known; how far it must be outside the others."""
LEAST_REQUEST, LEAST_STEP = 0.005, 1.0
"""Seconds by which a request or a step must differ."""
CHANCE = 1000
ENOUGH = 4
"""From so many other runs on, they say what is usual."""
TINY = 0.001
"""Seconds that are added to both sides of a ratio, for times are rounded to milliseconds."""
TOTAL = "the whole run"
EVERY = "requests of all labs"
Figures = Mapping[str, float]


def comparable(run: Run, others: Sequence[Run]) -> list[Run]:
    """Those of the others that asked the same probes as ``run``, to the end."""
    return [other for other in others if other.complete and _asked(other) == _asked(run)]


def noise(usual: Sequence[Run]) -> str:
    """The rule in words; ``usual`` are ``comparable`` runs."""
    there = f"{len(usual) or 'no'} other {'run' if len(usual) < 2 else 'runs'} of this stack"
    rule = (
        f"what differs by half or more, and by a quarter from all that {there} took"
        if len(usual) >= ENOUGH
        else f"with {there} to tell what is usual, only requests and runs that differ by a factor of three"
    )
    return f"{rule}; requests only where nearly all moved the same way"


def timings(before: Run, after: Run, usual: Sequence[Run]) -> list[TimingChange]:
    """The timings that differ beyond noise; ``usual`` are ``comparable`` runs.

    Steps are compared of complete runs that asked the same probes.
    """
    found = _requests(before, after, usual)
    if before.complete and after.complete and _asked(before) == _asked(after):
        old, new, known = _steps(before), _steps(after), [_steps(run) for run in usual]
        for what, took in new.items():
            told = what == TOTAL or len(known) >= ENOUGH
            seen = [steps[what] for steps in known if what in steps]
            if told and what in old and _beyond(old[what], took, LEAST_STEP, seen):
                found.append(
                    TimingChange(what=what, before=old[what], after=took, told=_told(old[what], took))
                )
    return found


def _beyond(before: float, after: float, least: float, seen: Sequence[float]) -> bool:
    """Whether ``after`` is far from ``before`` and from what was ``seen`` in other runs."""
    low, high = sorted((before, after))
    few = len(seen) < ENOUGH
    if high - low < least or high < low * (ALONE if few else FACTOR):
        return False
    return few or (after > max(seen) * SPARE if after > before else after * SPARE < min(seen))


def _told(before: float, after: float) -> str:
    """How much longer or shorter, in words."""
    scale, unit = (1, "s") if max(before, after) >= 1 else (1000, "ms")
    times = after / before if before and after > before else before / after if after else math.inf
    word = "as long" if after > before else "as fast"
    return f"{before * scale:.3g} → {after * scale:.3g} {unit}, {times:.1f} times {word}"


def _asked(run: Run) -> set[str]:
    return {probe.id for probe in run.probes}


def _steps(run: Run) -> dict[str, float]:
    """Seconds of each step; those of Pods of one name are added up."""
    found = {TOTAL: run.seconds}
    for timing in run.timings:
        name = without_ends(timing.what)
        found[name] = found.get(name, 0.0) + timing.seconds
    return found


def _requests(before: Run, after: Run, usual: Sequence[Run]) -> list[TimingChange]:
    """Requests of all labs, and of single labs that changed by more than all did."""
    old, new, known = _times(before), _times(after), [_times(run) for run in usual]
    labs = {probe.id: probe.lab for probe in after.probes}
    both = [id for id in new if id in old]
    groups = {EVERY: both}
    for id in both:
        groups.setdefault(f"requests of {labs[id]}", []).append(id)
    found: list[TimingChange] = []
    for what, ids in groups.items():
        if not _same_way([new[id] - old[id] for id in ids]):
            continue
        a, b = _typical(old, ids), _typical(new, ids)
        like_all = bool(found) and found[0].what == EVERY and _alike(found[0], a, b)
        seen = [_typical(times, ids) for times in known if {*ids} & {*times}]
        if not like_all and _beyond(a, b, LEAST_REQUEST, seen):
            found.append(TimingChange(what=what, before=a, after=b, told=_told(a, b)))
    return found


def _same_way(changes: Sequence[float]) -> bool:
    """Whether so many went the same way that a coin would do it less than once in ``CHANCE``."""
    moved = [change for change in changes if change]
    most = max(sum(change > 0 for change in moved), sum(change < 0 for change in moved))
    ways = sum(math.comb(len(moved), count) for count in range(most, len(moved) + 1))
    return 2 * ways * CHANCE < 1 << len(moved)


def _alike(all_: TimingChange, before: float, after: float) -> bool:
    """Whether a lab changed much as all labs did."""
    here, there = (after + TINY) / (before + TINY), (all_.after + TINY) / (all_.before + TINY)
    return bool(1 / FACTOR < here / there < FACTOR)


def _typical(times: Figures, ids: Sequence[str]) -> float:
    return median(times[id] for id in ids if id in times)


def _times(run: Run) -> dict[str, float]:
    """Seconds that the requests of each passed probe took, their median where there were several."""
    found = {}
    for probe in run.probes:
        took = [
            float(one["time_total"])
            for one in probe.receipt.client
            if one.get("exitcode") == 0 and isinstance(one.get("time_total"), int | float)
        ]
        if probe.verdict is Verdict.PASSED and took:
            found[probe.id] = median(took)
    return found
