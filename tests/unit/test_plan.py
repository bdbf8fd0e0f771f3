"""From probes to work: addresses, execs, and the reasons why a probe cannot be asked."""

from __future__ import annotations

import dataclasses

import pytest

from labs import probes_of
from scripts.checks.base import Probe, Scenario
from scripts.checks.destinations import (
    Balancer,
    Gateway,
    Host,
    Ingress,
    Localhost,
    Name,
    Node,
    NodePort,
    Pod,
    Service,
)
from scripts.checks.peers import (
    Beside,
    Client,
    Container,
    Destination,
    KubeProxy,
    Near,
    OnNode,
    Outside,
    PodOn,
    Source,
)
from scripts.checks.request import Get
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.snapshot import snapshot_of
from scripts.evidence.view import View
from scripts.suite.plan import plan_of
from tests.unit import atlas
from tests.unit.atlas import NOT_HERE
from tests.unit.runs import EVERY

LAB, L4 = "pod-to-service", "ingress-l4"


def target(to: Destination, source: Source | None = None) -> str:
    """The URL that a GET of ``to`` asks for, or the reason why there is none."""
    probe = Probe("X", "P1", source or Client(), Get(to, ()))
    plan = plan_of([(LAB, probe)], atlas.view())
    return plan.steps[0].work.requests[0].url if plan.steps else plan.settled["X"].why


@pytest.mark.parametrize(
    ("to", "url"),
    [
        (Localhost(8080), "http://127.0.0.1:8080/"),
        (Pod(LAB, "frontend", 80, "same node"), "http://10.244.1.3:80/"),
        (Pod(LAB, "frontend", 80, "other node"), "http://10.244.2.3:80/"),
        (Service(LAB, "frontend", 80), "http://10.96.0.80:80/"),
        (
            Service(LAB, "frontend", 80, "name"),
            f"http://frontend.{atlas.SERVICE_NS}.svc.cluster.local:80/",
        ),
        (Service(LAB, "peer", 80), "the Service peer has no clusterIP"),
        (Balancer(LAB, "frontend", 8080), "http://172.18.0.6:8080/"),
        (Ingress("ingress-l7", "frontend", "shop.podpath.test"), "http://172.18.0.7:80/"),
        (Gateway("ingress-l7", "frontend", "shop.podpath.test"), "http://172.18.0.8:80/"),
        (Node(80, 1), "http://172.18.0.3:80/"),
        (Node(80, where="same node"), "http://172.18.0.2:80/"),
        (Node(80, where="other node"), "http://172.18.0.3:80/"),
        (NodePort(L4, "web-cluster", 80, "node with a Pod"), "http://172.18.0.2:30101/"),
        (NodePort(L4, "web-cluster", 80, "node without a Pod"), "http://172.18.0.3:30101/"),
        (NodePort(L4, "web-cluster", 8080, "control plane"), "http://172.18.0.4:30102/"),
        (NodePort(L4, "web-local", 81, "control plane"),
         "the Service web-local has no node port for 81"),
        (NodePort("pod-to-pod", "rest", 8000, "control plane"),
         "the Service rest has no node port for 8000"),
        (Host("near"), "http://172.18.0.20:80/"),
        (Host("outside", 8080), "http://198.18.0.2:8080/"),
        (Name("no.such"), "http://no.such:80/"),
        (Node(80, 2), "the cluster has 2 worker nodes, not 3"),
    ],
)  # fmt: skip
def test_each_destination_has_its_address(to: Destination, url: str) -> None:
    assert target(to) == url


def test_where_is_seen_from_the_source() -> None:
    other = Pod(LAB, "frontend", 80, "other node")
    assert target(other, Client(1)) == "http://10.244.1.3:80/"
    assert target(Node(80, where="same node"), OnNode(1)) == "http://172.18.0.3:80/"


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (Client(1), "client-b/client"),
        (Container("pod-to-pod", "rest", "rest"), "rest-1/rest"),
        (Outside(), "podpath-outside"),
        (Near(), "podpath-near"),
        (OnNode(1), "agent-worker-b/node-agent"),
        (KubeProxy(), "proxy-worker-a/kube-proxy"),
        (PodOn(LAB, "frontend", "webapp", 1), "frontend-2/webapp"),
        (Beside("pod-to-pod", "database", "same node"), "client-b/client"),
        (Beside("pod-to-pod", "database", "other node"), "client-a/client"),
    ],
)
def test_each_source_has_its_place(source: Source, place: str) -> None:
    probe = Probe("X", "P1", source, Get(Localhost(80), ()))
    assert [str(step.place) for step in plan_of([(LAB, probe)], atlas.view()).steps] == [place]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (PodOn("pod-to-pod", "rest", "rest", 1), "no Pod of rest runs on worker-b"),
        (PodOn("pod-to-pod", "rest", "rest", 2), "the cluster has 2 worker nodes, not 3"),
    ],
)
def test_a_node_without_such_a_pod_is_a_reason_to_skip(source: Source, why: str) -> None:
    settled = plan_of([(LAB, Probe("X", "P1", source, Get(Localhost(80), ())))], atlas.view()).settled["X"]
    assert (settled.verdict, settled.why) == (Verdict.SKIPPED, why)


def test_one_exec_a_source_carries_all_its_requests() -> None:
    plan = plan_of(EVERY, atlas.view())
    places = [str(place) for place in plan.requests()]
    assert len({*places}) == len(places) and "client-a/client" in places
    nonces = [request.nonce for requests in plan.requests().values() for request in requests]
    assert len({*nonces}) == len(nonces)
    assert {*plan.settled} == NOT_HERE
    played = {step.probe.id for step in plan.steps if isinstance(step.probe.check, Scenario)}
    assert all(not step.work.requests for step in plan.steps if step.probe.id in played)


def test_traced_requests_are_marked() -> None:
    traced = {step.probe.id for step in plan_of(EVERY, atlas.view()).steps if step.work.traced}
    assert {"P4-frontend-rest", "E2-gateway", "I4-nodeport"} <= traced and "P6" not in traced


def test_a_cluster_with_one_worker_skips_what_needs_two() -> None:
    plan = plan_of(EVERY, atlas.view(workers=1))
    skipped = {id: found.why for id, found in plan.settled.items() if found.verdict is Verdict.SKIPPED}
    assert skipped["S6-2-80"] == "the cluster has 1 worker nodes, not 2"
    assert skipped["C4-node-2-80"] == "the cluster has 1 worker nodes, not 2"
    assert skipped["E3-other"] == "the cluster has no other node, seen from worker-a"
    assert skipped["I3-without"] == "the cluster has no node without a Pod of web-cluster"
    assert "P4-frontend-rest" not in plan.settled and "I6-with" not in plan.settled
    failed = {id for id, found in plan.settled.items() if found.verdict is not Verdict.SKIPPED}
    assert all("database" in id for id in failed), "only its Pod has no place there"


def test_a_lab_that_is_not_deployed_is_skipped_and_says_how_to_deploy_it() -> None:
    labs = {key: lab for key, lab in atlas.EXPORTS["labs"].items() if key != "ingress-l7"}
    plan = plan_of(EVERY, dataclasses.replace(atlas.view(), exports={**atlas.EXPORTS, "labs": labs}))
    assert {*plan.settled} == {probe.id for probe in probes_of("ingress-l7")} | NOT_HERE
    assert plan.settled["I9-host"].verdict is Verdict.SKIPPED
    assert "scripts/up kind" in plan.settled["I9-host"].why


def test_a_probe_of_no_lab_stands_alone() -> None:
    probe = Probe("trace", "trace", Client(), Get(Node(80), ()))
    bare = dataclasses.replace(atlas.view(), exports={**atlas.EXPORTS, "labs": {}})
    assert len(plan_of([("", probe)], bare).steps) == 1
    assert "is not deployed" in plan_of([(LAB, probe)], bare).settled["trace"].why


def test_no_world_outside_is_a_reason_to_skip() -> None:
    plan = plan_of(EVERY, dataclasses.replace(atlas.view(), outside=None))
    for id in ("I1", "I3-trace", "E1-node", "E2-gateway", "E5-reach", "F1-fence"):
        assert plan.settled[id].verdict is Verdict.SKIPPED
        assert plan.settled[id].why == "this stack has no world outside the cluster"


def test_a_kube_proxy_that_one_node_lacks_is_missed() -> None:
    """Where other nodes have one, this cluster's Services are kube-proxy's."""
    view, first = atlas.view(), atlas.view().snapshot.workers[0].name
    pods = tuple(
        pod if pod.labels.get("k8s-app") != "kube-proxy" else dataclasses.replace(pod, node="elsewhere")
        for pod in view.snapshot.pods
    )
    plan = plan_of(EVERY, dataclasses.replace(view, snapshot=dataclasses.replace(view.snapshot, pods=pods)))
    settled = plan.settled["S9-force"]
    assert settled.failure is Failure.MISSING_PEER and f"no kube-proxy runs on {first}" in settled.why


def test_a_cluster_without_kube_proxy_has_no_mode() -> None:
    shot = atlas.snapshot()
    pods = tuple(pod for pod in shot.pods if pod.namespace != "kube-system")
    plan = plan_of(EVERY, dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=pods)))
    assert plan.settled["S9-force"].verdict is Verdict.SKIPPED
    assert "something else serves this cluster's Services" in plan.settled["S9-force"].why


def without(*pods: str) -> View:
    """The world with some Pods not ready."""
    shot = atlas.snapshot()
    kept = tuple(dataclasses.replace(pod, ready=pod.name not in pods) for pod in shot.pods)
    return dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=kept))


@pytest.mark.parametrize(
    ("pod", "probe", "namespace"),
    [
        ("frontend", "C1", atlas.POD_NS),
        ("rest-1", "P1-client-1-rest", atlas.CHAIN_NS),
        ("traveller-1", "E1-node", atlas.EGRESS_NS),
        ("spare", "S3", atlas.SERVICE_NS),
        ("spare-ready", "S7-ready", atlas.SERVICE_NS),
    ],
)
def test_a_deployed_workload_without_a_ready_pod_fails_and_is_not_skipped(
    pod: str, probe: str, namespace: str
) -> None:
    settled = plan_of(EVERY, without(pod)).settled[probe]
    assert (settled.verdict, settled.failure) == (Verdict.FAILED, Failure.MISSING_PEER)
    assert f"kubectl -n {namespace} describe pods" in settled.why


def test_a_missing_client_or_agent_is_a_failure_too() -> None:
    assert plan_of(EVERY, without("client-b")).settled["S6-2-80"].failure is Failure.MISSING_PEER
    agent = plan_of(EVERY, without("agent-worker-a")).settled["E5-node"]
    assert agent.failure is Failure.MISSING_PEER and "no node-agent is ready on worker-a" in agent.why


def test_no_address_from_balancer_ingress_or_gateway_is_a_failure() -> None:
    shot = atlas.snapshot()
    services = {key: dataclasses.replace(service, balancer_ips=()) for key, service in shot.services.items()}
    bare = dataclasses.replace(shot, services=services, ingresses={}, gateways={})
    plan = plan_of(EVERY, dataclasses.replace(atlas.view(), snapshot=bare))
    for id, look in {"I1": "service", "I7-shop": "ingress", "I12-shop": "gateway"}.items():
        assert plan.settled[id].failure is Failure.MISSING_PEER
        assert f"describe {look} frontend" in plan.settled[id].why


def test_a_service_that_is_gone_is_a_failure() -> None:
    shot = atlas.snapshot()
    bare = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, services={}))
    for id in ("S1", "S4", "S8-service", "I11", "I3-without"):
        assert plan_of(EVERY, bare).settled[id].failure is Failure.MISSING_PEER, id


def test_a_step_says_how_to_do_it_by_hand() -> None:
    steps = {step.probe.id: step.command for step in plan_of(EVERY, atlas.view()).steps}
    assert steps["C2-app"] == (
        f"kubectl -n {atlas.POD_NS} exec frontend -c nginx -- curl -sSik --max-time 10 http://127.0.0.1:8080/"
    )
    assert steps["I9-host"] == (
        "docker exec podpath-outside curl -sSik --max-time 10 --header 'Host: unknown.podpath.test' "
        "http://172.18.0.7:80/"
    )
    assert "getent ahostsv4 peer-0.peer." in steps["S8-pods"]
    assert "kubectl -n kube-system exec proxy-worker-a -c kube-proxy" in steps["S9-ipvs"]
    assert "X-Podpath-Nonce: P6." in steps["P6"] and steps["P6"].endswith("http://10.96.0.60:80/orders")


def test_snapshot_reads_what_the_api_leaves_out() -> None:
    pod = {"metadata": {"namespace": "n", "name": "p", "uid": "u"}, "spec": {"containers": [{"name": "c"}]}}
    read = snapshot_of([], [pod], [], [{"metadata": {"namespace": "n"}, "endpoints": None}], [])
    assert (read.pods[0].ip, read.pods[0].ready, read.pods[0].labels) == ("", False, {})
    assert read.endpoints == {} and read.gateways == {}


def test_a_leaving_pod_is_no_peer() -> None:
    leaving = atlas.pod_json("frontend-1")
    leaving["metadata"]["deletionTimestamp"] = "2020-07-30T00:00:00Z"
    shot = snapshot_of([], [leaving, atlas.pod_json("frontend-2")], [], [], [])
    seen = dataclasses.replace(atlas.view(), snapshot=shot)
    assert [pod.name for pod in seen.pods(LAB, "frontend")] == ["frontend-2"]
