from __future__ import annotations

import dataclasses

import pytest

from labs import LABS, model, probes_of
from scripts.probing.plan import plan_of
from scripts.probing.scenario import is_scenario
from scripts.probing.snapshot import snapshot_of
from scripts.probing.verdict import Failure, Verdict
from scripts.probing.view import View
from tests.unit import world

EVERY = [(lab, probe) for lab in LABS for probe in probes_of(lab)]
LAB = "pod-to-service"


def target(to: model.Destination, source: model.Source | None = None) -> str:
    """The URL that a GET of ``to`` asks for, or the reason why there is none."""
    probe = model.Probe("X", "P1", source or model.Client(), model.Get(to), ())
    plan = plan_of([(LAB, probe)], world.view())
    return plan.steps[0].work.requests[0].url if plan.steps else plan.settled["X"].why


@pytest.mark.parametrize(
    ("to", "url"),
    [
        (model.Localhost(8080), "http://127.0.0.1:8080/"),
        (model.Pod(LAB, "frontend", 80, "same node"), "http://10.244.1.3:80/"),
        (model.Pod(LAB, "frontend", 80, "other node"), "http://10.244.2.3:80/"),
        (model.Service(LAB, "frontend", 80), "http://10.96.0.80:80/"),
        (
            model.Service(LAB, "frontend", 80, "name"),
            f"http://frontend.{world.SERVICE_NS}.svc.cluster.local:80/",
        ),
        (model.Balancer(LAB, "frontend", 8080), "http://172.18.0.6:8080/"),
        (model.Ingress("ingress-l7", "frontend", "shop.podpath.test"), "http://172.18.0.7:80/"),
        (model.Node(80, 1), "http://172.18.0.3:80/"),
        (model.Name("no.such"), "http://no.such:80/"),
        (model.Node(80, 2), "the cluster has 2 worker nodes, not 3"),
    ],
)
def test_each_destination_has_its_address(to: model.Destination, url: str) -> None:
    assert target(to) == url


def test_where_is_seen_from_the_source() -> None:
    other = model.Pod(LAB, "frontend", 80, "other node")
    assert target(other, model.Client(1)) == "http://10.244.1.3:80/"


def test_one_exec_a_source_carries_all_its_requests() -> None:
    plan = plan_of(EVERY, world.view())
    sizes = {str(place): len(requests) for place, requests in plan.requests().items()}
    assert sizes["client-a/client"] == 309 and len(sizes) == 5
    nonces = [request.nonce for requests in plan.requests().values() for request in requests]
    assert len({*nonces}) == len(nonces)
    assert not plan.settled
    assert [step.probe.id for step in plan.steps if is_scenario(step.probe.ask)] == ["S1"]


def test_a_cluster_with_one_worker_skips_what_needs_two() -> None:
    plan = plan_of(EVERY, world.view(workers=1))
    why = {id: finding.why for id, finding in plan.settled.items()}
    assert {finding.verdict for finding in plan.settled.values()} == {Verdict.SKIPPED}
    assert why["P1-1-other"] == "no Pod of frontend runs on the other node, seen from worker-a"
    assert why["C4-node-2-80"] == "the cluster has 1 worker nodes, not 2"
    assert "P1-1-same" not in why


def test_a_lab_that_is_not_deployed_is_skipped_and_says_how_to_deploy_it() -> None:
    labs = {key: lab for key, lab in world.EXPORTS["labs"].items() if key != "ingress-l7"}
    plan = plan_of(EVERY, dataclasses.replace(world.view(), exports={**world.EXPORTS, "labs": labs}))
    assert {*plan.settled} == {probe.id for probe in probes_of("ingress-l7")}
    assert plan.settled["I9-host"].verdict is Verdict.SKIPPED
    assert "scripts/up kind" in plan.settled["I9-host"].why


def test_no_outside_host_is_a_reason_to_skip() -> None:
    plan = plan_of(EVERY, dataclasses.replace(world.view(), outside=None))
    assert plan.settled["I1"].verdict is Verdict.SKIPPED


def without(*pods: str, ready: bool = False) -> View:
    """The world with some Pods not ready, and no load balancer."""
    shot = world.snapshot()
    kept = tuple(dataclasses.replace(pod, ready=pod.name not in pods) for pod in shot.pods)
    return dataclasses.replace(world.view(), snapshot=dataclasses.replace(shot, pods=kept))


def test_a_deployed_workload_without_a_ready_pod_fails_and_is_not_skipped() -> None:
    plan = plan_of(EVERY, without("shop-1", "frontend"))
    assert plan.settled["C1"].verdict is Verdict.FAILED
    assert plan.settled["C1"].failure is Failure.MISSING_PEER
    assert f"kubectl -n {world.POD_NS} describe pods" in plan.settled["C1"].why


def test_a_missing_client_is_a_failure_too() -> None:
    assert plan_of(EVERY, without("client-b")).settled["S6-2-80"].failure is Failure.MISSING_PEER


def test_no_address_from_the_balancer_or_the_ingress_is_a_failure() -> None:
    shot = world.snapshot()
    services = {key: dataclasses.replace(service, balancer_ips=()) for key, service in shot.services.items()}
    bare = dataclasses.replace(shot, services=services, ingresses={})
    plan = plan_of(EVERY, dataclasses.replace(world.view(), snapshot=bare))
    assert plan.settled["I1"].failure is Failure.MISSING_PEER
    assert "describe service frontend" in plan.settled["I1"].why
    assert plan.settled["I7-shop"].failure is Failure.MISSING_PEER


def test_a_step_says_how_to_do_it_by_hand() -> None:
    steps = {step.probe.id: step.command for step in plan_of(EVERY, world.view()).steps}
    assert steps["C2-app"] == (
        f"kubectl -n {world.POD_NS} exec frontend -c nginx -- curl -sSik --max-time 10 http://127.0.0.1:8080/"
    )
    assert steps["I9-host"] == (
        "docker exec podpath-outside curl -sSik --max-time 10 --header 'Host: unknown.podpath.test' "
        "http://172.18.0.7:80/"
    )
    assert "getent ahostsv4 peer-0.peer." in steps["S8-pods"]


def test_snapshot_reads_what_the_api_leaves_out() -> None:
    pod = {"metadata": {"namespace": "n", "name": "p", "uid": "u"}, "spec": {"containers": [{"name": "c"}]}}
    read = snapshot_of([], [pod], [], [{"metadata": {"namespace": "n"}, "endpoints": None}], [])
    assert (read.pods[0].ip, read.pods[0].ready, read.pods[0].labels) == ("", False, {})
    assert read.endpoints == {}


def test_a_leaving_pod_is_no_peer() -> None:
    leaving = world.pod_json("frontend-1")
    leaving["metadata"]["deletionTimestamp"] = "2020-07-30T00:00:00Z"
    shot = snapshot_of([], [leaving, world.pod_json("frontend-2")], [], [], [])
    seen = dataclasses.replace(world.view(), snapshot=shot)
    assert [pod.name for pod in seen.pods(LAB, "frontend")] == ["frontend-2"]
