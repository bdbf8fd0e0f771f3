"""Runs of probes against the made-up cluster, as the tests of judges need them."""

from __future__ import annotations

import dataclasses

from labs import LABS, model, probes_of
from scripts.probing.runner import run
from scripts.probing.verdict import Finding, Result, Verdict
from scripts.probing.view import View
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.world import World

EVERY = [(lab, probe) for lab in LABS for probe in probes_of(lab)]
P, F, I, S = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.SKIPPED  # noqa: E741


def wanted(ids: str) -> list[tuple[str, model.Probe]]:
    """The probes of these ids (with spaces; none: all), and the controls that they need."""
    needed = {*ids.split()}
    assert needed <= {probe.id for _, probe in EVERY}, ids
    fresh = set(needed)
    while fresh:
        fresh = {control for _, probe in EVERY if probe.id in fresh for control in probe.controls} - needed
        needed |= fresh
    return [(lab, probe) for lab, probe in EVERY if not ids or probe.id in needed]


def results(
    lies: Lies | None = None, ids: str = "", view: View | None = None, made: World | None = None
) -> dict[str, Result]:
    """The results by id."""
    made = made or World(lies)
    finished = run(wanted(ids), view or atlas.view(), made, made)
    return {result.id: result for result in finished.results}


def finding(
    lies: Lies | None, id: str, kind: type[model.Expectation] | None = None, view: View | None = None
) -> Finding:
    """What a probe comes to; with ``kind`` only what its expectation of that kind comes to."""
    if kind is None:
        return results(lies, id, view)[id].finding
    made, (pair,) = World(lies), [(lab, probe) for lab, probe in EVERY if probe.id == id]
    expect = tuple(expected for expected in pair[1].expect if isinstance(expected, kind))
    assert expect, f"{id} expects no {kind.__name__}"
    alone = dataclasses.replace(pair[1], expect=expect, controls=())
    (result,) = run([(pair[0], alone)], view or atlas.view(), made, made).results
    return result.finding
