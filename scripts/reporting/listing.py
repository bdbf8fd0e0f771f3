"""Lists the runs that are kept, a line each, and heads one that is shown again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scripts.checks.verdict import Verdict
from scripts.runs.claims import ClaimVerdict
from scripts.runs.document import Run

HEADINGS = ("RUN", "STARTED (UTC)", "STACK", "PROBES", "CLAIMS", "CAUSES", "TOOK")
NAMED = 20
"""Probes without a verdict that are named; of more only the number is told."""


@dataclass(frozen=True)
class Kept:
    """A run that is kept, or why it cannot be read. ``ended``: not killed, and not still going on."""

    id: str
    run: Run | None = None
    ended: bool = True
    problem: str = ""


def listed(kept: Sequence[Kept], width: int = 0) -> list[str]:
    """A table of runs in lines, in the given order.

    Where it would be wider than ``width`` columns (0: as wide as it likes), each run has several lines.
    """
    rows = {one.id: _row(one.id, one.run, one.ended) for one in kept if one.run}
    wide = [max(map(len, column)) for column in zip(HEADINGS, *rows.values(), strict=True)]
    lines = [HEADINGS, *(rows.get(one.id, (one.id, one.problem)) for one in kept)]
    table = ["  ".join(map(str.ljust, line, wide)).rstrip() for line in lines]
    if not width or max(map(len, table)) <= width:
        return table
    return [line for one in kept for line in _block(one.id, rows.get(one.id), one.problem)]


def _block(id: str, row: tuple[str, ...] | None, problem: str) -> list[str]:
    """A run in several short lines."""
    if row is None:
        return [id, f"  {problem}"]
    _, started, _, probes, claims, causes, took = row
    return [f"{id}  {started}", f"  {took}", f"  {probes}", f"  claims: {claims}; causes: {causes}"]


def heading(id: str, run: Run, ended: bool = True) -> list[str]:
    """What stands above a run that is shown again: which one it is, and how far it came."""
    lines = [f"run {id} of stack {run.stack}, started {_when(run)} UTC"]
    if not run.complete:
        asked = len(run.probes) + len(run.unjudged)
        how = "was cut short" if ended else "has not ended: it was killed, or is still going on"
        came = f"{len(run.probes)} of {asked} probes were judged" if asked else "no probe had been asked"
        lines.append(f"This run {how}; {came} after {run.seconds:.1f} s.")
        left = [probe.id for probe in run.unjudged]
        if left and len(left) <= NAMED:
            lines.append(f"Not judged: {', '.join(left)}.")
    return lines


def _row(id: str, run: Run, ended: bool) -> tuple[str, ...]:
    probes = _sums(Counter(one.verdict for one in run.probes), Verdict)
    claims = _sums(Counter(one.verdict for one in run.claims), ClaimVerdict)
    causes = sum(not cause.warning for cause in run.causes)
    took = f"{run.seconds:.1f} s"
    if not run.complete:
        asked = len(run.probes) + len(run.unjudged)
        took += f", {'cut short' if ended else 'not ended'}, {len(run.probes)} of {asked} judged"
    return id, _when(run), run.stack, probes or "none", claims or "none", str(causes or "-"), took


def _sums(counts: Mapping[str, int], order: Iterable[str]) -> str:
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in order if counts.get(verdict))


def _when(run: Run) -> str:
    """The time at which a run started, without the T and the zone of ISO 8601."""
    return run.started[:19].replace("T", " ")
