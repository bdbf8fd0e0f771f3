"""Runs of probes against the made-up cluster, as the tests of checks need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labs import every_probe
from labs.claims import CLAIMS
from scripts.checks.base import Journal, Probe, Step, runs_alone
from scripts.checks.request import Expectation, Get
from scripts.checks.verdict import Finding, Verdict
from scripts.evidence.view import View
from scripts.runs.document import ProbeRecord, Run
from scripts.runs.draft import Draft
from scripts.suite.plan import plan_of
from scripts.suite.run import run
from scripts.transport.executor import Place
from tests.unit import atlas, curls
from tests.unit.lies import Lies
from tests.unit.world import World

EVERY = [(lab, probe) for lab, probe in every_probe() if lab in atlas.EXPORTS["labs"]]
"""The probes of the labs that the made-up cluster has: a new lab may wait for its place there."""
P, F, I, S = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.SKIPPED  # noqa: E741


def wanted(ids: str) -> list[tuple[str, Probe]]:
    """The probes of these ids (with spaces; none: all), and the controls that they need."""
    needed = {*ids.split()}
    assert needed <= {probe.id for _, probe in EVERY}, ids
    fresh = set(needed)
    while fresh:
        fresh = {control for _, probe in EVERY if probe.id in fresh for control in probe.controls} - needed
        needed |= fresh
    return [(lab, probe) for lab, probe in EVERY if not ids or probe.id in needed]


def results(
    lies: Lies | None = None,
    ids: str = "",
    view: View | None = None,
    made: World | None = None,
    journal: Journal | None = None,
) -> dict[str, ProbeRecord]:
    """The verdicts by id; no causes are looked for, which are no part of a verdict."""
    made = made or World(lies)
    done = run(wanted(ids), view or atlas.view(), made, made, journal=journal, explain=False)
    return {probe.id: probe for probe in done}


def not_passed(lies: Lies) -> dict[str, ProbeRecord]:
    """What a lie costs, of all that is asked without a change of the cluster."""
    asked = " ".join(probe.id for _, probe in EVERY if not runs_alone(probe.check))
    return {id: record for id, record in results(lies, asked).items() if record.verdict is not P}


class Faltering(World):
    """A world in which each n-th request of a probe gets no answer, as curl reports it."""

    def __init__(self, probe: str, nth: int, report: Mapping[str, object]) -> None:
        super().__init__()
        self.probe, self.nth, self.report = probe, nth, report

    def _answer(self, place: Place, group: dict[str, list[str]]) -> str:
        line = super()._answer(place, group)
        nonce = line.partition("\t")[0]
        if not nonce.startswith(f"{self.probe}.") or (int(nonce.rpartition(".")[2]) + 1) % self.nth:
            return line
        return curls.report(nonce, self.report, {})


def document(lies: Lies | None = None, ids: str = "", view: View | None = None) -> Run:
    """The document of a run of these probes."""
    made, draft = World(lies), Draft({id: claim.sentence for id, claim in CLAIMS.items()})
    run(wanted(ids), view or atlas.view(), made, made, [draft], "r1")
    return draft.document()


def finding(lies: Lies | None, id: str, *kinds: type[Expectation], view: View | None = None) -> Finding:
    """What a probe comes to; with ``kinds`` only what its request's expectations of these kinds come to."""
    if not kinds:
        return found(results(lies, id, view)[id])
    made, (lab, probe) = World(lies), pair_of(id)
    check = probe.check
    assert isinstance(check, Get), f"{id} is no request"
    expect = tuple(expected for expected in check.expect if isinstance(expected, kinds))
    assert expect, f"{id} expects nothing of {kinds}"
    alone = replace(probe, check=replace(check, expect=expect), controls=())
    (judged,) = run([(lab, alone)], view or atlas.view(), made, made, explain=False)
    return found(judged)


def found(probe: ProbeRecord) -> Finding:
    """A probe's record as the finding that it came from."""
    return Finding(probe.verdict, probe.failure, probe.why or "")


def pair_of(id: str) -> tuple[str, Probe]:
    """The lab and the probe of this id."""
    return next((lab, probe) for lab, probe in EVERY if probe.id == id)


def step_of(id: str, view: View | None = None) -> Step:
    """A probe's step in the honest cluster, or in another one."""
    (step,) = plan_of([pair_of(id)], view or atlas.view()).steps
    return step
