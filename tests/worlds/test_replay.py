"""Recorded real runs are judged again and get the verdicts that were recorded."""

from __future__ import annotations

import lzma
import re
import socket

import pytest

from labs import LABS, every_probe
from scripts.checks.twins import SUFFIX
from scripts.fault import every_fault
from scripts.suite.settle import settled
from scripts.waiting import going_by
from tests.worlds.replayer import Replayer
from tests.worlds.world import World, loaded, names, path_of, replayed

ENFORCING = "kind-policy"
"""The stack whose nodes run a NetworkPolicy engine."""
DUAL = "kind-dual"
"""The stack of two families of addresses."""
GREEN = ("kind", "kind-nftables", ENFORCING, DUAL)
ROUTED = "kind-ptp"
"""The stack without bridges: it refutes the claims about them, and nothing else."""
HARMLESS = ("affinity", "finished")
"""Changes of the cluster that must make no probe red."""
SILENT = "paused"
"""The world of which one node does not answer: nothing is red for it, and nothing that needs it is green."""
UNSETTLED = ("dead", "foreign", "natflush")
"""The worlds whose EndpointSlices or rules are wrong before anything is asked."""
MOST = 400 << 10
"""Octets that a world's file may have."""
CHANGED = 0.1
"""The share of probes that may ask something new before a world has to be recorded again."""
PRIVATE = ("/root", "/home", "/work", "docker.io", "registry.", "sha256:")
"""What would identify the machine on which a world was recorded."""

every_world = pytest.mark.parametrize("name", names(), scope="session")
"""Of session scope: all tests of a world follow each other, so that one process replays it."""


def stale(world: World, replayer: Replayer) -> set[str]:
    """The probes that ask something new, or need a probe that was not recorded."""
    needs = {probe.id: {*probe.controls, *probe.rests_on} for _, probe in every_probe(True)}
    return {id for id in world.probes if id in replayer.missing or needs.get(id, set()) - {*world.probes}}


@every_world
def test_a_world_gets_the_same_verdicts_again(name: str) -> None:
    world = loaded(name)
    run, replayer = replayed(name)
    again, new = f"run scripts/test --record {name}", stale(world, replayer)
    assert {*replayer.missing} <= {*world.probes}, f"the nodes are asked something new: {again}"
    assert len(new) <= CHANGED * len(world.probes), f"{sorted(new)} ask something new: {again}"
    now = {one.id: (one.verdict.value, one.failure or "") for one in run.probes if one.id not in new}
    assert now == {id: verdict for id, verdict in world.probes.items() if id in now}
    if not new:  # a claim whose probes are all newer than the world is not among them
        assert {claim.id: claim.verdict for claim in run.claims}.items() <= world.claims.items()


def test_there_are_green_worlds_and_broken_ones() -> None:
    assert {*GREEN, ROUTED} <= {*names()} <= {*GREEN, ROUTED, *every_fault()}
    assert len({*names()} - {*GREEN, ROUTED, *HARMLESS}) >= 5


@every_world
def test_only_a_broken_world_is_red(name: str) -> None:
    world = loaded(name)
    verdicts = {verdict for verdict, _ in world.probes.values()}
    assert "passed" in verdicts
    assert ("failed" in verdicts) is (name not in (*GREEN, *HARMLESS, SILENT)), world.reasons
    assert "inconclusive" not in verdicts or "failed" in verdicts or name == SILENT, world.reasons


def test_a_silent_node_refutes_nothing_and_is_named_by_all_that_needs_it() -> None:
    world = loaded(SILENT)
    assert "refuted" not in world.claims.values()
    (node,) = world.silent
    open_ = {id for id, (verdict, _) in world.probes.items() if verdict == "inconclusive"}
    assert {id for id in open_ if node not in world.reasons[id]} == {
        id for id in open_ if world.probes[id][1] == "control-failed"
    }


def test_a_cluster_without_bridges_refutes_what_is_said_about_them() -> None:
    red = {failure for verdict, failure in loaded(ROUTED).probes.values() if verdict != "passed" and failure}
    assert red == {"no-bridge", "wrong-path"}


def test_where_policies_are_enforced_the_engine_is_named_and_followed() -> None:
    world = loaded(ENFORCING)
    denied = {id: why for id, why in world.reasons.items() if id.startswith("K8-denied-")}
    assert len(denied) == 4
    assert all("guarded holds (enforced by kube-router)" in why for why in denied.values()), denied
    assert world.reasons["K8-follows"].startswith("kube-router let the client in after ")
    assert world.claims["K8"] == "proven"


def test_with_two_families_what_has_two_addresses_is_asked_by_both() -> None:
    world = loaded(DUAL)
    six = {id for id in world.probes if id.endswith(SUFFIX)}
    assert {id.removesuffix(SUFFIX) for id in six} <= {*world.probes} and len(six) >= 30
    assert {world.probes[id][0] for id in six} == {"passed"}
    asked = {id: why for id, why in world.reasons.items() if id.startswith("K3-")}
    assert asked["K3-1-v6"].startswith("it saw itself as [fd00:10:244:"), asked


@every_world
def test_only_a_wrong_endpoint_is_waited_for(name: str) -> None:
    """Settling looks at the same evidence; its own requests to the entrances are not recorded."""
    world, told = loaded(name), list[str]()
    replayer = Replayer(world.tape)
    with going_by(replayer):
        settled(world.view, lambda: world.view.snapshot, replayer, LABS, told.append, quiet=0)
    assert bool(told) is (name in UNSETTLED), told


@every_world
def test_a_world_is_small_and_does_not_identify_its_machine(name: str) -> None:
    packed = path_of(name).read_bytes()
    text = lzma.decompress(packed).decode()
    assert len(packed) <= MOST
    assert [word for word in PRIVATE if word in text] == []
    host = socket.gethostname()
    assert host not in text or not re.search(rf"\b{re.escape(host)}\b", text)
