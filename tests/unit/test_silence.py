"""What a node that does not answer leaves open, before the API says so, and from the middle of a run on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from scripts.checks.verdict import Failure
from scripts.evidence.view import View
from scripts.runs.document import ProbeRecord
from scripts.suite.pulse import Guarded
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, I, P, wanted
from tests.unit.world import World

WHY = "its node-agent did not run a program within 3 s"
DOWN = {"worker-b": WHY}
THERE = {ip for _, _, ip, node, _ in atlas.PODS.values() if node == "worker-b"}


def down() -> View:
    """The cluster as the API has it, all of it ready, of which one node does not answer."""
    return dataclasses.replace(atlas.view(), silent=DOWN)


def asked(view: View, ids: str = "", pulse: Mapping[str, str] | None = None) -> dict[str, ProbeRecord]:
    """The records of these probes in a cluster whose Pods on worker-b answer nothing."""
    made, looks = World(Lies(silent=THERE)), list[int]()
    execute = Guarded(made, view.silent)

    def look() -> Mapping[str, str]:
        looks.append(1)
        return pulse or {}

    done = run(wanted(ids), view, made, execute, pulse=look)
    assert len(looks) <= 2, "after the batch and after the scenarios"
    return {record.id: record for record in done}


def test_nothing_is_red_for_a_silent_node_and_all_else_is_judged() -> None:
    seen = asked(down())
    assert [one.id for one in seen.values() if one.verdict is F] == []
    passed = {one.id for one in seen.values() if one.verdict is P}
    assert {"C1", "C2-app", "P1-mesh-1-same", "E1-node", "I7-shop", "I9-host"} <= passed
    assert {"K3-1", "K6-near-1", "K6-there", "K1-get-1-same"} <= passed
    asked_there = {"P1-mesh-1-other", "P1-mesh-2-same", "S6-1-80", "S2-1", "K2-1", "S1", "I7-blog", "K5-kept"}
    assert {id: seen[id].failure for id in asked_there} == dict.fromkeys(asked_there, Failure.NODE_DOWN)
    assert all("worker-b" in str(seen[id].why) and WHY in str(seen[id].why) for id in asked_there)


def test_no_claim_is_judged_by_fewer_nodes_than_there_are() -> None:
    seen = asked(down(), "S4 F1-fence")
    told = (I, Failure.NODE_DOWN, f"node worker-b does not answer: {WHY}")
    assert [(one.verdict, one.failure, one.why) for one in seen.values()] == [told, told]


def test_a_node_that_falls_silent_during_the_run_is_found_by_its_reds() -> None:
    before = asked(atlas.view(), "P1-mesh-1-other P1-mesh-1-same")
    assert (before["P1-mesh-1-other"].verdict, before["P1-mesh-1-same"].verdict) == (F, P)
    seen = asked(atlas.view(), "P1-mesh-1-other P1-mesh-1-same", pulse=DOWN)
    other, same = seen["P1-mesh-1-other"], seen["P1-mesh-1-same"]
    assert (other.verdict, other.failure, same.verdict) == (I, Failure.NODE_DOWN, P)
    assert str(other.why).startswith(f"node worker-b does not answer: {WHY}; what was seen proves nothing: ")
    assert str(before["P1-mesh-1-other"].why) in str(other.why)


def test_what_would_change_the_cluster_is_not_played_once_a_node_has_fallen_silent() -> None:
    made = World(Lies(silent=THERE))
    done = run(wanted("P1-mesh-1-other S1 I11 K5-gone"), atlas.view(), made, made, pulse=lambda: DOWN)
    seen = {record.id: (record.verdict, record.failure) for record in done}
    assert {seen[id] for id in ("S1", "I11", "K5-gone")} == {(I, Failure.NODE_DOWN)}
    assert not made.deleted and not made.patched


def test_another_nodes_silence_excuses_no_red() -> None:
    seen = asked(atlas.view(), "P1-mesh-1-other", pulse={"control": WHY})
    assert seen["P1-mesh-1-other"].verdict is F


@pytest.mark.parametrize("id", ["P1-mesh-1-same", "C2-app"])
def test_nobody_is_asked_again_when_nothing_is_red(id: str) -> None:
    made = World()

    def look() -> Mapping[str, str]:
        raise AssertionError("nothing is red")

    assert all(one.verdict is P for one in run(wanted(id), atlas.view(), made, made, pulse=look))


def test_every_probe_has_a_verdict_beside_a_silent_node() -> None:
    assert len(asked(down())) == len(EVERY)
