"""Expectations about answers: each lie turns exact probes red, or leaves them open, and no others."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.checks.answers import AnsweredBy
from scripts.checks.base import Observation, Probe
from scripts.checks.destinations import Pod
from scripts.checks.peers import Client
from scripts.checks.request import Get
from scripts.checks.sources import SeesSource
from scripts.checks.translation import NotTranslated
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.conntrack import Entry, Flow, Index
from scripts.evidence.curl import Answer
from scripts.evidence.identity import (
    HEADER_CONTAINER,
    HEADER_FORWARDED_FOR,
    HEADER_NODE,
    HEADER_NONCE,
    HEADER_PEER,
    HEADER_POD,
    HEADER_UPSTREAM_PEER,
)
from scripts.evidence.nodeview import Kernel
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, finding, results, step_of
from tests.unit.world import World

NONCE = {HEADER_NONCE: "C1.00000000.0"}
PEER, POD, NODE = HEADER_PEER, HEADER_POD, HEADER_NODE
CONTAINER, UPSTREAM, FORWARDED = (
    HEADER_CONTAINER,
    HEADER_UPSTREAM_PEER,
    HEADER_FORWARDED_FOR,
)
NEAR, FAR = atlas.OUTSIDE.near_ip, atlas.OUTSIDE.outside_ip
REST = "10.244.1.11"


@pytest.mark.parametrize(
    ("lies", "probe", "verdict", "failure"),
    [
        # answered by
        (Lies(responder={REST: "front-1"}), "P1-client-1-rest", F, Failure.WRONG_RESPONDER),
        (Lies(headers={POD: "stranger"}), "C2-app", F, Failure.WRONG_RESPONDER),
        (Lies(headers={POD: ""}), "I2-80", F, Failure.WRONG_RESPONDER),
        (Lies(headers={NODE: "worker-z"}), "S6-1-80", F, Failure.WRONG_RESPONDER),
        (Lies(headers={CONTAINER: "nginx"}), "S6-1-8080", F, Failure.WRONG_RESPONDER),
        (Lies(headers=NONCE), "C2-pod", F, Failure.WRONG_NONCE),
        (Lies(headers={HEADER_NONCE: ""}), "I7-shop", F, Failure.WRONG_NONCE),
        (Lies(responder={atlas.INGRESS_IP: "blog-1"}), "I7-shop", F, Failure.WRONG_RESPONDER),
        (Lies(responder={atlas.INGRESS_IP: "blog-1"}), "I7-blog", P, None),
        (Lies(responder={atlas.GATEWAY_IP: "blog-1"}), "I12-shop", F, Failure.WRONG_RESPONDER),
        (Lies(responder={atlas.GATEWAY_IP: "blog-1"}), "I7-shop", P, None),
        (Lies(only="frontend-1"), "S6-1-80", P, None),
        (Lies(only="peer-0"), "S6-1-80", F, Failure.WRONG_RESPONDER),
        (Lies(silent={atlas.CLUSTER_IP}), "S6-1-80", F, Failure.REFUSED),
        (Lies(status={REST: 500}), "P1-client-1-rest", F, Failure.WRONG_STATUS),
        (Lies(status={"172.18.0.3": 500}), "I3-without", F, Failure.WRONG_STATUS),
        (Lies(silent={"172.18.0.4"}), "I6-control", F, Failure.REFUSED),
        (Lies(silent={"172.18.0.4"}), "I6-with", P, None),
        # answered by a host
        (Lies(responder={NEAR: "outside"}), "E1-node", F, Failure.WRONG_RESPONDER),
        (Lies(responder={FAR: "traveller-1"}), "E2-gateway", F, Failure.WRONG_RESPONDER),
        (Lies(headers={POD: ""}), "E1-node", F, Failure.WRONG_RESPONDER),
        (Lies(headers=NONCE), "E1-node", F, Failure.WRONG_NONCE),
        (Lies(status={NEAR: 503}), "E1-node", F, Failure.WRONG_STATUS),
        (Lies(silent={FAR}), "E2-gateway", F, Failure.REFUSED),
        # whom the server saw
        (Lies(headers={PEER: "10.244.2.1:40001"}), "P1-client-1-rest", F, Failure.WRONG_SOURCE),
        (Lies(natted=True), "P1-client-2-frontend", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: "127.0.0.1:1"}), "C2-app", F, Failure.WRONG_SOURCE),
        (Lies(headers={UPSTREAM: "10.244.1.2:9"}), "C2-pod", F, Failure.WRONG_SOURCE),
        (Lies(headers={UPSTREAM: ""}), "C2-proxy", F, Failure.WRONG_SOURCE),
        (Lies(unmasqueraded=True), "E1-node", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: "10.244.1.12:1"}), "E1-node", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: ""}), "E1-node", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: "127.0.0.1:1"}), "E1-node", F, Failure.WRONG_SOURCE),
        (Lies(gate_open=True), "E2-gateway", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: f"{atlas.OUTSIDE.gateway_ip}:1"}), "E2-gateway", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: f"{atlas.OUTSIDE_IP}:1"}), "I5-cluster", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: "172.18.0.2:1"}), "I5-local", F, Failure.WRONG_SOURCE),
        (Lies(headers={PEER: "10.244.2.1:1"}), "I5-cluster", P, None),  # a bridge's address is its node's
        (Lies(headers={FORWARDED: ""}), "I10-forwarded", F, Failure.WRONG_SOURCE),
        (Lies(headers={FORWARDED: "172.18.0.7"}), "I10-forwarded", F, Failure.WRONG_SOURCE),
        (Lies(headers={FORWARDED: f"203.0.113.9, {atlas.OUTSIDE_IP}"}), "I10-forwarded", P, None),
        # no backend
        (Lies(everything_routed=True), "I9-host", F, Failure.WRONG_RESPONDER),
        (Lies(everything_routed=True), "I12-no-path", F, Failure.WRONG_RESPONDER),
        (Lies(status={atlas.INGRESS_IP: 403}), "I9-path", F, Failure.WRONG_STATUS),
        (Lies(plain="connected\nHTTP/1.1 200 OK\r\nX-Podpath-Pod: shop-1\r\n"), "I10-plain", F,
         Failure.UNEXPECTED_ANSWER),
        (Lies(plain="connected\n"), "I10-plain", P, None),
        (Lies(plain="connected\nSSH-2.0\r\n"), "I10-plain", I, Failure.NO_ANSWER),
        (Lies(plain="Connection refused\n"), "I10-plain", I, Failure.NO_ANSWER),
        (Lies(headers={FORWARDED: ""}), "I10-plain", I, Failure.CONTROL_FAILED),
        # nobody
        (Lies(open={("10.244.1.2", 80)}), "C4-pod-80", F, Failure.UNEXPECTED_ANSWER),
        (Lies(open={("172.18.0.2", 8080)}), "C4-node-1-8080", F, Failure.UNEXPECTED_ANSWER),
        (Lies(open={("172.18.0.2", 8080)}), "C4-node-2-8080", P, None),
        (Lies(open={(atlas.CLUSTER_IP, 81)}), "F1-1", F, Failure.UNEXPECTED_ANSWER),
        (Lies(open={("10.244.1.12", 80)}), "E5-outside", F, Failure.UNEXPECTED_ANSWER),
        (Lies(open={("172.18.0.3", 30201)}), "I5-skips", F, Failure.UNEXPECTED_ANSWER),
        (Lies(silent={atlas.CLUSTER_IP}), "F1-1", I, Failure.CONTROL_FAILED),
        (Lies(silent={atlas.CLUSTER_IP}), "S8-unknown", I, Failure.CONTROL_FAILED),
        (Lies(silent={"172.18.0.2"}), "C4-node-1-80", I, Failure.CONTROL_FAILED),
        (Lies(silent={"172.18.0.2"}), "C4-node-2-80", P, None),
        (Lies(silent={"10.244.1.2"}), "C4-pod-80", I, Failure.CONTROL_FAILED),
        (Lies(silent={"172.18.0.2"}), "E5-outside", I, Failure.CONTROL_FAILED),
        (Lies(silent={"172.18.0.2"}), "I5-skips", I, Failure.CONTROL_FAILED),
        # what the transport loses
        (Lies(lost={"webapp"}), "C2-proxy", I, Failure.TRANSPORT),
        (Lies(lost={"podpath-outside"}), "I1", I, Failure.TRANSPORT),
        (Lies(dropped="F1-1."), "F1-1", I, Failure.LOST_EXIT_CODE),
        (Lies(dropped="E1-node."), "E1-node", I, Failure.LOST_EXIT_CODE),
        (Lies(agents_down=True), "C2-app", P, None),
        (Lies(agents_down=True), "I7-shop", P, None),
    ],
)  # fmt: skip
def test_each_lie_is_noticed(lies: Lies, probe: str, verdict: Verdict, failure: Failure | None) -> None:
    seen = finding(lies, probe)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why or verdict is P


def test_nodes_that_cannot_be_asked_make_no_source_wrong() -> None:
    """Only the agent knows that a bridge's address is the node's: without it the question stays open."""
    seen = finding(Lies(agents_down=True), "I5-cluster")
    assert (seen.verdict, seen.failure) == (I, Failure.NO_EVIDENCE), seen


def test_a_source_that_only_the_api_has_to_know_needs_no_agent() -> None:
    assert finding(Lies(agents_down=True), "E1-node", SeesSource).verdict is P
    assert finding(Lies(agents_down=True), "E2-gateway", SeesSource).verdict is P


def test_a_source_that_is_not_the_pods_own_is_told_by_the_api() -> None:
    shot = atlas.snapshot()
    pods = (dataclasses.replace(p, ip="10.244.1.99") if p.name == "client-a" else p for p in shot.pods)
    other = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=tuple(pods)))
    seen = finding(Lies(), "P1-client-1-rest", SeesSource, view=other)
    assert (seen.failure, seen.why) == (
        Failure.WRONG_SOURCE,
        "the client sent from 10.244.1.9, its Pod has 10.244.1.99",
    )


def test_another_pod_of_the_same_workload_is_a_wrong_responder() -> None:
    lab = "pod-to-service"
    by = AnsweredBy(lab, "frontend", "nginx")
    probe = Probe("P1", "P1", Client(), Get(Pod(lab, "frontend", 80, "same node"), (by,), "/whoami"))

    def why(lies: Lies) -> str:
        made = World(lies)
        return run([(lab, probe)], atlas.view(), made, made)[0].why or ""

    assert why(Lies()) == ""
    swapped = Lies(responder={"10.244.1.3": "frontend-2"})
    assert why(swapped) == "frontend-2 answered at the IP of frontend-1"


def test_a_loopback_connection_that_a_node_tracked_has_left_the_pod() -> None:
    client = {"exitcode": 0, "http_code": 200, "local_ip": "127.0.0.1", "local_port": 5}
    said = Answer(
        "n", {**client, "remote_ip": "127.0.0.1", "remote_port": 8080}, {HEADER_PEER: "127.0.0.1:5"}
    )
    there = Flow("127.0.0.1", "127.0.0.1", 5, 8080)
    tracked = Index({"worker-a": [Entry(there, there.mirrored, "TIME_WAIT", "line")]})
    inside = Observation(step_of("C2-app"), atlas.view(), answers=(said,))
    expected = SeesSource("loopback")
    assert expected.judge(inside).verdict is P
    outside = expected.judge(dataclasses.replace(inside, kernel=Kernel(index=tracked)))
    assert outside.failure is Failure.WRONG_SOURCE and "node worker-a tracked it" in outside.why


@pytest.mark.parametrize(("through_service", "verdict"), [(40000, P), (40001, F)])
def test_a_port_that_gives_way_to_a_service_connection_is_no_nat(
    through_service: int, verdict: Verdict
) -> None:
    """The kernel changes it only where the Service connection has the very port and ends at the same Pod."""
    here, pod = "10.244.1.9", "10.244.1.3"
    ends = {"local_ip": here, "local_port": 40000, "remote_ip": pod, "remote_port": 80}
    said = Answer("n", {"exitcode": 0, "http_code": 200, **ends}, {HEADER_PEER: f"{here}:50000"})
    direct = Entry(Flow(here, pod, 40000, 80), Flow(pod, here, 80, 50000), "TIME_WAIT", "line")
    service = Flow(here, "10.96.0.1", through_service, 80)
    other = Entry(service, Flow(pod, here, 80, through_service), "TIME_WAIT", "line")
    kernel = Kernel(index=Index({"worker-a": [other, direct]}))
    seen = Observation(step_of("P1-client-1-rest"), atlas.view(), kernel, answers=(said,))
    assert [SeesSource("own").judge(seen).verdict, NotTranslated().judge(seen).verdict] == [verdict] * 2


def test_the_advertised_address_is_the_exported_one() -> None:
    other = dataclasses.replace(atlas.view(), exports={**atlas.EXPORTS, "frontendIp": "172.18.0.66"})
    seen = results(ids="I1", view=other)["I1"]
    assert (seen.verdict, seen.failure) == (F, Failure.WRONG_ADDRESS)
    assert seen.why == "the Service advertises 172.18.0.6, the stack exports frontendIp 172.18.0.66"


def test_failures_speak_of_what_was_seen() -> None:
    assert finding(Lies(gate_open=True), "E2-gateway").why == (
        "the server saw 172.18.0.2, not an address of the gateway"
    )
    assert finding(Lies(responder={NEAR: "outside"}), "E1-node").why == "outside answered, not the host near"
    told = "X-Forwarded-For names 172.18.0.7, not the client 198.18.0.2"
    assert finding(Lies(headers={FORWARDED: "172.18.0.7"}), "I10-forwarded").why == told
