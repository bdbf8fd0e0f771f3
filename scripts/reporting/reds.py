"""The red and open probes of a run, sorted so that a reader meets each reason once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.checks.verdict import Failure, Verdict
from scripts.reporting.signs import RED, many
from scripts.runs.document import CauseRecord, ProbeRecord, Run


@dataclass
class Group:
    """Red or open probes of one failure class that no cause explains: ``first`` stands for all.

    ``after`` are those whose verdicts follow from one of them: their control failed, or what they rest on.
    """

    first: ProbeRecord
    others: list[ProbeRecord] = field(default_factory=list)
    after: list[ProbeRecord] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The number of probes of this failure class."""
        return 1 + len(self.others)

    @property
    def weight(self) -> int:
        """The number of probes that are red or open by it."""
        return self.size + len(self.after)


@dataclass(frozen=True)
class Reds:
    """What is red or open. ``causes_of`` has the cause of each probe that one explains, by its id.

    What follows from a probe that a cause explains is explained as well.
    """

    every: Sequence[ProbeRecord]
    causes: Sequence[CauseRecord]
    warnings: Sequence[CauseRecord]
    causes_of: Mapping[str, CauseRecord]
    groups: Sequence[Group]


def reds_of(run: Run) -> Reds:
    """Sorts a run's red and open probes; those that failed come before those that are open."""
    every = [probe for verdict in RED for probe in run.probes if probe.verdict is verdict]
    red = {probe.id: probe for probe in every}
    causes = [cause for cause in run.causes if not cause.warning]
    named = {id: cause for cause in reversed(causes) for id in cause.explains}
    causes_of = {
        id: named[one]
        for id in red
        if (one := next((each for each in (id, *_origins(id, red)) if each in named), ""))
    }
    groups: dict[tuple[Verdict, Failure | None], Group] = {}
    following: list[tuple[ProbeRecord, str]] = []
    for probe in every:
        if probe.id in causes_of:
            continue
        if origins := _origins(probe.id, red):
            following.append((probe, origins[-1]))
            continue
        key = (probe.verdict, probe.failure)
        if key in groups:
            groups[key].others.append(probe)
        else:
            groups[key] = Group(probe)
    homes = {one.id: group for group in groups.values() for one in (group.first, *group.others)}
    for probe, origin in following:
        homes[origin].after.append(probe)
    warnings = [cause for cause in run.causes if cause.warning]
    # failed before open, and of these the group first that more depends on
    sorted_ = sorted(groups.values(), key=lambda group: (RED.index(group.first.verdict), -group.weight))
    return Reds(every, causes, warnings, causes_of, sorted_)


def _origins(id: str, red: dict[str, ProbeRecord]) -> list[str]:
    """The red probes that a verdict follows from, the nearest first; the last one follows from none."""
    found: list[str] = []
    while (id := red[id].follows) in red and id not in found:
        found.append(id)
    return found


def headline(reds: Reds) -> str:
    """What the causes explain, in one line; empty where no cause was found."""
    if not reds.causes:
        return ""
    verb = "explains" if len(reds.causes) == 1 else "explain"
    return f"{many(len(reds.causes), 'cause')} {verb} {many(len(reds.causes_of), 'red probe')}"
