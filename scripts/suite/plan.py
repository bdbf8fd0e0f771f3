"""From probes to steps: what each sends, grouped by source, so that one exec carries many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from scripts.checks.base import Probe, Step
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, skipped
from scripts.evidence.curl import Request
from scripts.evidence.view import MissingPeer, NodeDown, NotHere, View
from scripts.suite.silence import unaskable
from scripts.transport.executor import Place


@dataclass
class Plan:
    """The steps of a run in the order of the probes; ``settled`` are the probes that cannot be asked."""

    steps: list[Step] = field(default_factory=list)
    settled: dict[str, Finding] = field(default_factory=dict)

    def requests(self) -> dict[Place, list[Request]]:
        """By source, all its requests: one exec each."""
        batches: dict[Place, list[Request]] = {}
        for step in self.steps:
            for place, request in step.sent:
                batches.setdefault(place, []).append(request)
        return batches

    def commands(self) -> dict[Place, dict[str, tuple[str, ...]]]:
        """By place, all commands by their key within the run: one exec each."""
        batches: dict[Place, dict[str, tuple[str, ...]]] = {}
        for step in self.steps:
            for command in step.work.commands:
                batches.setdefault(command.place, {})[key_of(step, command.key)] = command.argv
        return batches


def key_of(step: Step, key: str) -> str:
    """The key of a step's command within the run."""
    return f"{step.probe.id}/{key}"


def _unfit(probe: Probe, view: View) -> str:
    """Why a probe may not be asked on this cluster, or an empty text."""
    if probe.tier > view.tier:
        return probe.tier.needed
    if probe.fence and not view.fenced:
        return "needs the fence: podpath fences no cluster that it did not make"
    return ""


def plan_of(probes: Iterable[tuple[str, Probe]], view: View) -> Plan:
    """The plan of ``probes`` (lab, probe); a peer that cannot be found settles its probe at once.

    A probe of a lab that is not deployed is settled too; one without a lab (an empty name) needs none.
    """
    plan = Plan()
    for lab, probe in probes:
        if why := _unfit(probe, view):
            plan.settled[probe.id] = skipped(why)
            continue
        try:
            if lab:
                view.lab(lab)
            by = view.by(probe.family)
            place = probe.source.place(by)
            step = Step(lab, probe, place, probe.check.work(probe.id, place, by))
            if why := unaskable(step, by):
                raise NodeDown(why)
            plan.steps.append(step)
        except NotHere as reason:
            plan.settled[probe.id] = skipped(str(reason))
        except NodeDown as reason:
            plan.settled[probe.id] = inconclusive(Failure.NODE_DOWN, str(reason))
        except MissingPeer as reason:
            plan.settled[probe.id] = failed(Failure.MISSING_PEER, str(reason))
    return plan
