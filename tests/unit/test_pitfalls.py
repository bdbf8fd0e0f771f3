"""Lab pitfalls: each fault that a suite of small requests cannot see turns just its own probes red."""

from __future__ import annotations

import dataclasses
import re

import pytest

from labs import probes_of
from scripts.checks.answers import AnsweredByItself
from scripts.checks.base import Observation
from scripts.checks.loss import Losses
from scripts.checks.table import misdirected
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.identity import HEADER_NONCE, HEADER_POD
from scripts.evidence.ruleset import read
from scripts.evidence.view import View
from scripts.suite.plan import plan_of
from tests.unit import atlas
from tests.unit.atlas import NOT_HERE
from tests.unit.curls import REFUSED, TIMED_OUT
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, Faltering, I, P, S, finding, not_passed, results, step_of
from tests.unit.world import World

pytestmark = pytest.mark.usefixtures("impatient")
OWN = " ".join(probe.id for probe in probes_of("pitfalls"))
SERVER_2, LONE, GUARDED = (atlas.PODS[name][2] for name in ("server-2", "lone-1", "guarded-1"))
NEAR = atlas.SERVICES[atlas.PITFALLS_NS, "near"][0]


# --- the honest cluster ---------------------------------------------------------------------------


def test_the_lab_has_a_probe_for_each_of_its_claims() -> None:
    assert {probe.claim for probe in probes_of("pitfalls")} == {"P1", *(f"K{n}" for n in range(1, 9))}


def test_an_honest_cluster_passes_and_says_what_was_measured() -> None:
    seen = results(ids=OWN)
    assert {id: record.why for id, record in seen.items() if record.verdict is not P}.keys() == NOT_HERE
    assert seen["K1-get-1-other"].why == "10 sizes up to 1 MiB arrived whole"
    assert seen["K1-post-balancer"].why == "5 sizes up to 1 MiB arrived whole"
    assert (seen["K2-1"].why or "").startswith("200 connections, none repeated its SYN; 0 SYNs and ")
    assert re.fullmatch(r"it saw itself as 10\.244\.1\.1:\d+", seen["K3-1"].why or "")
    assert re.fullmatch(r"server-\d 20", seen["K5-kept"].why or "")
    assert (seen["K5-free"].why, seen["K6-near-2"].why) == ("server-1 10, server-2 10", "server-2 20")


def test_a_pod_without_a_bridge_sees_itself_as_its_node() -> None:
    assert (results(Lies(bridge=""), "K3-2")["K3-2"].why or "").startswith("it saw itself as 172.18.0.3:")


def test_the_mesh_asks_from_each_node_to_each_and_back() -> None:
    p1 = {probe.id for probe in probes_of("pitfalls") if probe.claim == "P1"}
    mesh = {f"P1-mesh-{n}-{to}" for n in (1, 2) for to in ("same", "other")}
    assert p1 == mesh | {"P1-back-1", "P1-back-2", "P1-nodes"}
    assert not_passed(Lies(natted=True)).keys() >= p1
    for id in p1:
        assert finding(Lies(natted=True), id).failure is Failure.WRONG_SOURCE


def test_every_nodes_rules_follow_each_services_setting() -> None:
    """What the labs wait for before a run: a local Service has its own node's Pods only, or no rule."""
    made, view = World(), atlas.view()
    rules = {node: read(made._rules(node)) for node in atlas.NODES}
    for (namespace, name), service in view.snapshot.services.items():
        behind = view.snapshot.endpoints.get((namespace, name), ())
        assert {misdirected(service, behind, node, of) for node, of in rules.items()} == {""}
        for of in rules["worker-a"].of(f"{namespace}/{name}").services.values():
            assert (of.local_only, of.sticky) == (service.local, service.sticky), name
    assert not rules["worker-b"].of(f"{atlas.PITFALLS_NS}/lone").entries


# --- K2: loss -------------------------------------------------------------------------------------


def test_connections_that_repeat_their_syn_are_told_as_a_share() -> None:
    seen = not_passed(Lies(repeats=10))
    assert {*seen} == {"K2-1", "K2-2"}
    assert (seen["K2-1"].verdict, seen["K2-1"].failure) == (F, Failure.PACKETS_LOST)
    assert seen["K2-1"].why == (
        "of 200 connections from server-1/nginx 20 repeated their SYN and 0 timed out "
        "(6.6% to 14.9% at 95 %); 20 SYNs and 20 segments altogether were sent again"
    )


def test_slow_connections_without_anything_sent_again_are_no_loss() -> None:
    assert not_passed(Lies(slow=10)) == {}


def test_what_others_of_the_pod_sent_again_makes_slow_connections_no_loss_beyond_it() -> None:
    """One SYN was repeated: of twenty slow connections at most one can have been its."""
    made = World(Lies(slow=10), happens=lambda world, what: once(world, what))

    def once(world: World, what: str) -> None:
        if what == "server-1/nginx curl" and not world.syns_again["server-1"]:
            world.syns_again["server-1"] = 1

    seen = results(ids="K2-1", made=made)["K2-1"]
    assert seen.verdict is F and " 1 repeated their SYN" in (seen.why or "")


def test_a_kernel_that_does_not_tell_leaves_slow_connections_open_and_fast_ones_green() -> None:
    assert finding(Lies(uncounting=True), "K2-1").verdict is P
    slow = finding(Lies(uncounting=True, slow=10), "K2-1")
    assert (slow.verdict, slow.failure) == (I, Failure.NO_EVIDENCE)
    assert slow.why.startswith("20 of 200 connections took 0.9 s or more")


def test_connections_that_are_refused_are_not_lost_packets() -> None:
    seen = finding(Lies(silent={SERVER_2}), "K2-1")
    assert seen.failure is Failure.REFUSED
    assert seen.why.startswith("200 of 200 connections failed, such as this: server-1/nginx ")


def test_connections_that_nobody_reported_are_not_counted_as_well() -> None:
    unreported = Observation(step_of("K2-1"), atlas.view(), facts=Losses(133, 0, 0, 0, 0, 0))
    seen = unreported.step.probe.check.judge(unreported)
    assert (seen.verdict, seen.why) == (I, "only 133 of 200 connections were reported")


def test_loss_is_counted_where_nothing_else_is_asked() -> None:
    """What nobody should answer repeats its SYN, too: a client's counters would tell of that."""
    asking = {str(p.source): p.id for _, p in EVERY if p.check.negative}
    assert not {str(probe.source) for _, probe in EVERY if probe.claim == "K2"} & {*asking}


def test_connections_that_end_in_no_answer_count_as_lost() -> None:
    seen = results(ids="K2-1", made=Faltering("K2-1", 50, TIMED_OUT))["K2-1"]
    assert seen.failure is Failure.PACKETS_LOST
    assert (seen.why or "").startswith(
        "of 200 connections from server-1/nginx 0 repeated their SYN and 4 timed out (0.8% to"
    )
    assert (seen.receipt.api["late"], seen.receipt.client[0]["exitcode"]) == (4, 28)


def test_one_connection_that_is_refused_is_told_as_such() -> None:
    seen = results(ids="K2-1", made=Faltering("K2-1", 200, REFUSED))["K2-1"]
    assert seen.failure is Failure.REFUSED
    assert (seen.why or "").startswith("1 of 200 connections failed, such as this: server-1/nginx ")


# --- K3: hairpin ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("node", "probe"), [("worker-a", "K3-1"), ("worker-b", "K3-2")])
def test_a_node_without_hairpin_turns_its_own_probe_red(node: str, probe: str) -> None:
    seen = not_passed(Lies(no_hairpin={node}))
    assert {*seen} == {probe}
    assert (seen[probe].verdict, seen[probe].failure) == (F, Failure.REFUSED)


def test_another_pod_than_the_one_that_asked_is_no_hairpin() -> None:
    seen = finding(Lies(responder={NEAR: "server-2"}), "K3-1")
    assert (seen.failure, seen.why) == (Failure.WRONG_RESPONDER, "server-2 answered, not server-1 itself")


def test_where_pods_share_the_node_another_ones_answer_says_nothing_of_hairpin() -> None:
    shot, near = atlas.snapshot(), (atlas.PITFALLS_NS, "near")
    there = tuple(dataclasses.replace(one, node="worker-a") for one in shot.endpoints[near])
    shared = dataclasses.replace(shot, endpoints={**shot.endpoints, near: there})
    view = dataclasses.replace(atlas.view(), snapshot=shared)
    seen = finding(Lies(responder={NEAR: "server-2"}), "K3-1", AnsweredByItself, view=view)
    why = "server-2 answered, not server-1 itself: several Pods of the Service share this node"
    assert seen.verdict is S and (seen.why or "").startswith(why)


# --- K5: affinity ---------------------------------------------------------------------------------


def test_a_client_that_is_not_kept_turns_one_probe_red() -> None:
    seen = not_passed(Lies(unkept=True))
    assert {*seen} == {"K5-kept", "K5-timeout"}
    assert seen["K5-kept"].failure is Failure.NOT_KEPT
    assert seen["K5-kept"].why == "the client was not kept at one Pod: server-1 10, server-2 10"


def test_a_service_that_keeps_everybody_shows_nothing_about_affinity() -> None:
    service = atlas.SERVICES[atlas.PITFALLS_NS, "server"][0]
    seen = results(Lies(responder={service: "server-1"}), "K5-kept")
    assert (seen["K5-free"].failure, seen["K5-free"].why) == (
        Failure.NOT_BALANCED,
        "only server-1 20 answered",
    )
    assert (seen["K5-kept"].verdict, seen["K5-kept"].failure) == (I, Failure.CONTROL_FAILED)


@pytest.mark.parametrize("probe", ["K5-kept", "K6-near-1"])
@pytest.mark.parametrize(
    ("lies", "verdict", "failure"),
    [
        (Lies(headers={HEADER_POD: "frontend-1"}), F, Failure.WRONG_RESPONDER),
        (Lies(headers={HEADER_POD: ""}), F, Failure.WRONG_RESPONDER),
        (Lies(headers={HEADER_NONCE: "K5.0.0"}), F, Failure.WRONG_NONCE),
        (Lies(silent={NEAR, atlas.SERVICES[atlas.PITFALLS_NS, "sticky"][0]}), F, Failure.REFUSED),
        (Lies(lossy=4), I, Failure.LOST_EXIT_CODE),
        (Lies(lost={"client"}), I, Failure.TRANSPORT),
    ],
)
def test_who_answers_must_be_selected_and_must_have_been_asked(
    probe: str, lies: Lies, verdict: Verdict, failure: Failure
) -> None:
    seen = results(lies, probe)[probe]
    assert (seen.verdict, seen.failure) == (verdict, failure), seen.why


@pytest.mark.parametrize(("report", "failure"), [(REFUSED, "REFUSED"), (TIMED_OUT, "TIMED_OUT")])
def test_one_connection_without_an_answer_is_shown(report: dict[str, object], failure: str) -> None:
    seen = results(ids="K5-kept", made=Faltering("K5-kept", 20, report))["K5-kept"]
    assert seen.failure is Failure[failure]
    assert re.match(r"1 of 20 connections got no answer \(server-\d 19\), such as this: ", seen.why or "")
    assert seen.receipt.client[0]["exitcode"] == report["exitcode"]


# --- K6: local traffic ----------------------------------------------------------------------------


def test_a_pod_of_another_node_that_answers_a_local_service_is_named() -> None:
    seen = not_passed(Lies(unlocal={"near"}))
    assert {"K6-near-1", "K6-near-2"} <= {*seen} <= {"K6-near-1", "K6-near-2", "K3-1", "K3-2"}
    assert {record.failure for record in seen.values()} == {Failure.WRONG_RESPONDER}
    assert seen["K6-near-1"].why == "server-2 answered, on another node than worker-a"


def test_an_answer_where_the_client_has_no_pod_on_its_node_turns_one_probe_red() -> None:
    seen = not_passed(Lies(unlocal={"lone"}))
    assert {*seen} == {"K6-nobody"}
    assert (seen["K6-nobody"].verdict, seen["K6-nobody"].failure) == (F, Failure.UNEXPECTED_ANSWER)


def test_that_nobody_answers_proves_nothing_while_the_pod_is_silent() -> None:
    seen = results(Lies(silent={LONE}), "K6-nobody")
    assert (seen["K6-alive"].verdict, seen["K6-nobody"].failure) == (F, Failure.CONTROL_FAILED)


# --- clusters of another shape ----------------------------------------------------------------------


def moved(pod: str, node: str) -> View:
    """The world with a Pod on another node, or nowhere."""
    shot = atlas.snapshot()
    pods = [dataclasses.replace(one, node=node) if one.name == pod else one for one in shot.pods]
    kept = tuple(one for one in pods if one.node)
    return dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=kept))


def test_one_worker_skips_what_takes_two_and_says_why() -> None:
    seen = results(ids=OWN, view=atlas.view(workers=1))
    balanced = {"K4-service-1", "K4-nodeport"}  # the made-up Service has its two Pods all the same
    assert {record.verdict for id, record in seen.items() if id not in balanced} == {P, S}
    passed = {id for id, record in seen.items() if record.verdict is P}
    assert {
        "K1-get-1-same",
        "K1-post-1-service",
        "K3-1",
        "K6-there",
        "K6-near-1",
        "K8-denied-1-same",
    } <= passed
    assert seen["K5-kept"].why == "sticky has fewer than two Pods: nothing shows whether one is kept"
    assert seen["K6-nobody"].why == "the cluster has no other node, seen from lone-1 on worker-a"
    assert seen["K3-2"].why == "the cluster has 1 worker nodes, not 2"


def test_a_node_without_a_server_has_no_near_pod_and_no_hairpin() -> None:
    seen = results(ids="K3-2 K6-near-2 K2-2", view=moved("server-2", "worker-a"))
    assert [record.verdict for record in seen.values()] == [S, S, S]
    assert seen["K6-near-2"].why == "no Pod of near runs on worker-b"
    assert seen["K3-2"].why == "no Pod of server runs on worker-b"


def test_no_server_at_all_is_a_missing_peer() -> None:
    shot = moved("server-1", "").snapshot
    none = tuple(pod for pod in shot.pods if pod.name != "server-2")
    view = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=none))
    seen = results(ids="K5-kept K6-near-1 K3-1 K1-get-1-same", view=view)
    assert {record.failure for id, record in seen.items() if id != "K5-free"} == {Failure.MISSING_PEER}
    assert "kubectl -n podpath-pitfalls describe pods" in (seen["K5-kept"].why or "")


def test_a_node_that_does_not_answer_leaves_its_probes_open_and_skips_none() -> None:
    """The API has its Pods as not ready then: that nothing runs there would be a hasty word."""
    shot = atlas.snapshot()
    pods = tuple(dataclasses.replace(pod, ready=pod.node != "worker-b") for pod in shot.pods)
    paused = dataclasses.replace(
        atlas.view(),
        snapshot=dataclasses.replace(shot, pods=pods),
        silent={"worker-b": "the API reports it as not ready"},
    )
    asked = [("pitfalls", probe) for probe in probes_of("pitfalls") if probe.id not in NOT_HERE]
    settled = plan_of(asked, paused).settled
    assert {(found.verdict, found.failure) for found in settled.values()} == {(I, Failure.NODE_DOWN)}
    two = {
        "P1-mesh-1-other",
        "P1-back-1",
        "K1-get-1-other",
        "K3-2",
        "K2-1",
        "K5-kept",
        "K6-near-2",
        "K6-nobody",
    }
    assert two <= {*settled} and not {"K3-1", "K6-near-1", "K8-denied-1-same", "K1-get-1-same"} & {*settled}
    why = settled["K3-2"].why
    assert why == "node worker-b does not answer: the API reports it as not ready"


def test_a_client_that_is_missing_on_the_other_node_is_a_failure() -> None:
    shot = atlas.snapshot()
    pods = tuple(dataclasses.replace(pod, ready=pod.name != "client-b") for pod in shot.pods)
    bare = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=pods))
    seen = results(ids="K6-nobody", view=bare)["K6-nobody"]
    assert (seen.verdict, seen.failure) == (F, Failure.MISSING_PEER)
    assert seen.why == "no client Pod is ready on worker-b: look with kubectl -n podpath-system get pods"
