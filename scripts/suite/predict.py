"""Compares what a fault's declaration predicts with what a run under the fault found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from scripts.checks.base import Probe
from scripts.checks.verdict import Verdict
from scripts.fault._base import Fault, matches
from scripts.runs.document import ProbeRecord
from scripts.runs.proof import RedRecord
from scripts.suite.choose import with_controls

SKIPPED = "skipped"
"""In place of a failure class: the probe must say that it does not apply here any more."""
RED = (Verdict.FAILED, Verdict.INCONCLUSIVE)


def asked(fault: Fault, every: Sequence[tuple[str, Probe]]) -> list[tuple[str, Probe]]:
    """The probes to ask under a fault: those that it must turn, some beside them, and what these rest on."""
    patterns = [*fault.must, *fault.beside]
    return with_controls(every, {probe.id for _, probe in every if matches(probe.id, patterns)})


def reds(fault: Fault, probes: Iterable[ProbeRecord]) -> list[RedRecord]:
    """What was red or open, each with whether the fault predicted it."""
    return [
        RedRecord(
            id=probe.id,
            verdict=probe.verdict.value,
            failure=probe.failure.value if probe.failure else "",
            why=probe.why or "",
            predicted=matches(probe.id, [*fault.must, *fault.may]),
        )
        for probe in probes
        if probe.verdict in RED
    ]


def missed(fault: Fault, probes: Sequence[ProbeRecord]) -> list[str]:
    """Predicted probes that did not notice the fault, or called it something else, in words."""
    found = []
    for pattern, wanted in fault.must.items():
        meant = [probe for probe in probes if fnmatchcase(probe.id, pattern)]
        if not meant:
            found.append(f"{pattern}: no such probe was asked")
        for probe in meant:
            failure = probe.failure.value if probe.failure else ""
            if wanted == SKIPPED:
                found += [f"{probe.id}: {probe.verdict}, not skipped"] * (
                    probe.verdict is not Verdict.SKIPPED
                )
            elif probe.verdict not in RED:
                found.append(f"{probe.id}: {probe.verdict}")
            elif wanted and failure not in wanted.split("|"):
                found.append(f"{probe.id}: {failure}, not {wanted}")
    return found


def unknown(fault: Fault, ids: Collection[str]) -> list[str]:
    """The patterns of a fault that no probe meets: a mistake in its declaration."""
    patterns = [*fault.must, *fault.may, *fault.beside]
    return [pattern for pattern in patterns if not any(fnmatchcase(id, pattern) for id in ids)]
