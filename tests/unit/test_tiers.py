"""Tiers: what a cluster does not allow is skipped with that reason, never green and never red."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labs import every_probe
from scripts.checks.request import Get
from scripts.checks.sources import SeesSource
from scripts.checks.translation import NotTranslated
from scripts.cli._breaking import named
from scripts.errors import UsageError
from scripts.evidence.snapshot import snapshot_of
from scripts.evidence.view import View
from scripts.runs.draft import Draft
from scripts.stack.profile import profile_of
from scripts.suite.plan import plan_of
from scripts.suite.run import run
from scripts.tiers import Tier
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, P, S, results, wanted
from tests.unit.world import World

BY_ID = {probe.id: probe for _, probe in every_probe()}
BLIND = "rights: none"


def given(tier: Tier, blind: str = "") -> View:
    """The made-up cluster as one that was given: no world outside, no fence, and maybe no agents."""
    exports = atlas.EXPORTS
    if blind:
        platform = {key: told for key, told in exports["platform"].items() if key != "agent"}
        exports = {**exports, "platform": platform}
    return replace(
        atlas.view(), exports=exports, outside=None, tier=tier, blind=blind, fenced=False, stack="shop"
    )


@pytest.mark.parametrize(
    ("id", "tier"),
    [
        ("C2-app", Tier.PODS),
        ("P1-client-1-rest", Tier.PODS),
        ("S1", Tier.PODS),
        ("I6-with", Tier.DOORS),
        ("K1-get-balancer", Tier.DOORS),
        ("P2-rest", Tier.KERNEL),
        ("S2-1", Tier.KERNEL),
        ("S6-1-80", Tier.KERNEL),
        ("S9-force", Tier.KERNEL),
        ("I3-trace", Tier.KERNEL),
        ("E5-node", Tier.KERNEL),
    ],
)
def test_a_probe_needs_what_its_parts_need(id: str, tier: Tier) -> None:
    assert BY_ID[id].tier is tier


def test_without_rights_client_server_and_api_judge_and_say_that_the_kernel_is_missing() -> None:
    seen = results(view=given(Tier.DOORS, BLIND), made=World())
    skipped = {id for id, record in seen.items() if record.verdict is S}
    needing = {id for id, probe in BY_ID.items() if probe.tier > Tier.DOORS}
    assert needing <= skipped
    assert {seen[id].why for id in needing} == {"needs tier 3 (kernel view)"}
    told = "by client, server and API: the kernel's view is missing (rights: none)"
    assert (seen["P1-client-1-rest"].verdict, seen["P1-client-1-rest"].why) == (P, told)
    assert seen["P6"].verdict is P and "the kernel's view is missing" in str(seen["P6"].why)
    assert seen["P1-client-1-rest"].receipt.gaps["kernel"] == "no kernel is looked at (rights: none)"
    assert seen["E3-node"].verdict is S and "does not say whom it saw" in str(seen["E3-node"].why)
    assert {record.verdict for record in seen.values()} == {P, S}


def test_without_rights_a_translated_source_is_still_found() -> None:
    seen = results(Lies(natted=True), "P1-client-1-rest", given(Tier.DOORS, BLIND))["P1-client-1-rest"]
    assert seen.verdict is F


def test_what_would_leave_a_cluster_without_a_fence_is_not_sent() -> None:
    seen = results(ids="F1-1 F1-fence", view=given(Tier.KERNEL))
    assert seen["F1-1"].verdict is S and "podpath fences no cluster" in str(seen["F1-1"].why)
    assert seen["F1-fence"].verdict is S


def test_with_restricted_pods_alone_no_door_is_asked() -> None:
    seen = results(view=given(Tier.PODS, "tier: 1"), made=World())
    doors = {id for id, probe in BY_ID.items() if probe.tier is Tier.DOORS}
    assert {seen[id].why for id in doors} == {"needs tier 2 (doors)"}
    assert {record.verdict for record in seen.values()} == {P, S}


def test_a_cluster_without_load_balancers_and_classes_skips_them_by_name() -> None:
    lists = atlas.lists()
    for service in lists[2]:
        service["spec"]["type"] = "NodePort"
    labs = {
        **atlas.EXPORTS["labs"],
        "ingress-l7": {**atlas.EXPORTS["labs"]["ingress-l7"], "ingresses": {}, "gateways": {}},
    }
    view = replace(atlas.view(), snapshot=snapshot_of(*lists), exports={**atlas.EXPORTS, "labs": labs})
    seen = results(ids="I2-80 I7-shop I12-shop", view=view)
    assert {record.verdict for record in seen.values()} == {S}
    assert seen["I2-80"].why == "stack kind has no load balancers: frontend is a NodePort"
    assert seen["I12-shop"].why == "stack kind has no Gateway: its file names no class"


def test_names_are_asked_in_the_clusters_own_domain() -> None:
    view = replace(atlas.view(), snapshot=snapshot_of(*atlas.lists(), domain="corp.test"), domain="corp.test")
    probe = BY_ID["S8-unknown"]
    place = probe.source.place(view)
    (request,) = probe.check.work("S8-unknown", place, view).requests
    assert request.url.startswith("http://no-such-service.podpath-pod-to-service.svc.corp.test:")
    (request,) = BY_ID["S8-use"].check.work("S8-use", place, view).requests
    assert "frontend.podpath-pod-to-service.svc.corp.test" in request.url


def test_on_a_single_node_what_needs_one_worker_is_asked() -> None:
    lists = atlas.lists()
    lists[0] = [item for item in lists[0] if item["metadata"]["name"] == "worker-a"]
    lists[0][0]["metadata"]["labels"] = {"node-role.kubernetes.io/control-plane": ""}
    lists[1] = [pod for pod in lists[1] if pod["metadata"]["name"] not in ("agent-control", "agent-worker-b")]
    for pod in lists[1]:
        pod["spec"]["nodeName"] = "worker-a"
    plan = plan_of(EVERY, replace(atlas.view(), snapshot=snapshot_of(*lists)))
    assert {finding.verdict for finding in plan.settled.values()} == {S}
    asked = {step.probe.id for step in plan.steps}
    assert {
        "C1",
        "P1-mesh-1-same",
        "P4-frontend-rest",
        "P6",
        "S6-1-80",
        "I7-shop",
        "K3-1",
    } <= asked
    assert not {"C4-node-2-80", "P1-mesh-1-other", "P5-database-rest", "S6-2-80"} & asked
    assert len(asked) > 1.5 * len(plan.settled)


def test_where_no_kernel_may_be_looked_at_a_server_tells_that_nothing_was_translated() -> None:
    without = [
        probe.id
        for probe in BY_ID.values()
        if isinstance(probe.check, Get) and NotTranslated() in probe.check.expect and probe.id != "E3-node"
        if SeesSource("own") not in probe.check.expect
    ]
    assert without == []


def test_a_fault_is_applied_only_where_it_is_allowed() -> None:
    with pytest.raises(UsageError, match=r"^a fault needs tier 4 .*, and stack kind-given"):
        named(profile_of("kind-given"), "affinity")
    named(profile_of("kind"), "")


def test_without_rights_a_red_is_asked_again_and_the_api_shows_its_cause() -> None:
    class Listing(World):
        def get(self, path: str, **query: str) -> dict[str, Any]:
            if path.split("/")[-2] in ("v1", "v1beta1"):  # a list of the whole cluster
                return {"items": []}
            return super().get(path, **query)

    view, lists = given(Tier.DOORS, BLIND), atlas.lists()
    for one in lists[3]:
        if one["metadata"]["labels"]["kubernetes.io/service-name"] == "frontend":
            one["endpoints"][0]["addresses"] = ["10.244.9.9"]
    view = replace(view, snapshot=snapshot_of(*lists))
    made, draft = Listing(Lies(silent={atlas.CLUSTER_IP})), Draft({})
    run(wanted("S8-use"), view, made, made, [draft])
    document = draft.document()
    (red,) = [one for one in document.probes if one.verdict is not P]
    (cause,) = document.causes
    assert cause.kind == "dead_endpoint" and cause.explains == [red.id] and red.receipt.replay is not None
    assert red.receipt.replay.last == "no kernel is looked at (rights: none), so nobody saw its packets"
