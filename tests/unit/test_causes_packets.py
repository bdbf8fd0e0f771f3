"""Causes that a replay's packets show: rules that ended or rewrote them, refusals, Services and DNS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scripts.causes.cover import ordered
from scripts.causes.rule_drops import matches
from scripts.causes.scene import Scene
from scripts.checks.verdict import Failure
from scripts.evidence.dnsask import DnsReply
from scripts.evidence.view import View
from scripts.suite.causes import found_in
from tests.unit import atlas
from tests.unit.atlas import BALANCER_IP, INGRESS_IP, INGRESS_NS, SERVICE_NS
from tests.unit.scenes import (
    ASKED,
    CLIENT,
    FAR,
    FRONTEND,
    OUTSIDE,
    PASSED,
    POD,
    REFUSED,
    answer,
    ask,
    at,
    found,
    honest,
    hop,
    red,
    rule,
    rules,
    scene,
    states,
    to,
    to_pod,
    told,
    way,
)

TEXT = "-s 10.244.1.9/32 -p tcp -m tcp --dport 80 -j DROP"
DROP = rule(TEXT, "DROP")
POLICY = rule("", "DROP")
MASQUERADE = rule("-j MASQUERADE", "ACCEPT", "nat/POSTROUTING")
DNAT = rule("-p tcp --dport 8888 -j DNAT --to-destination 10.244.1.3:80", "ACCEPT", "nat/PREROUTING")
KEPT_DNAT = rule("-j DNAT --to-destination 10.244.1.3:80", "ACCEPT", "nat/KUBE-SEP-X")
DENIED = ask(hop("worker-b cbr0 out", dst="10.244.2.5:80", kind="bridge"))
DELIVERED = ask(hop("worker-b veth-peer-1 out", dst="10.244.2.5:80", kind="pod"))
TO_PEER = red(DENIED, target=to_pod("peer-1"))
RST = ask(
    hop("worker-a veth-frontend-1 out", kind="pod"),
    hop("worker-a veth-frontend-1 in", POD, CLIENT, "reply", "pod"),
    said=REFUSED, back="RST",
)  # fmt: skip
FAR_RST = ask(hop("worker-a eth0 in", POD, CLIENT, "reply", "uplink"), said=REFUSED, back="RST")
DNS = ("kube-system", "kube-dns")
NAME = replace(to(), address="frontend.podpath-pod-to-service.svc.cluster.local")
BY_NAME = red(failure=Failure.NO_DNS, target=NAME)
STALE = red(failure=Failure.WRONG_ADDRESS, target=NAME, why="gives 10.96.0.99, the API has 10.96.0.80")
BALANCED = to(address=BALANCER_IP)
GATE = hop("gateway eth0 out", "172.18.0.21:9", f"{BALANCER_IP}:80")
FROM_OUTSIDE = red(ask(GATE), place=OUTSIDE, target=BALANCED)
TAKEN = red(ask(GATE, said=answer(28, local_port=20000)), place=OUTSIDE, target=BALANCED)
TURNED = red(ask(GATE, said=REFUSED, back="RST"), ask(said=REFUSED), place=OUTSIDE, target=BALANCED)
UNSEEN = red(ask(said=REFUSED), place=OUTSIDE, target=BALANCED)
EXPOSED = red(ask(GATE, said=PASSED, met=[way(DNAT)]), failure=Failure.UNEXPECTED_ANSWER, place=OUTSIDE)
BY_SERVICE = replace(EXPOSED, tries=(ask(GATE, said=PASSED, met=[way(KEPT_DNAT)]),))
GATED = hop("gateway eth0 out", "172.18.0.21:9", POD)
NATTED = red(ask(said=PASSED, met=[way(MASQUERADE)]), failure=Failure.NAT_FOUND, target=to_pod())
LIKE = red(ask(said=PASSED, met=[way(DNAT)]), failure=Failure.NAT_FOUND, target=to_pod())
WRONG_WAY = to(address=INGRESS_IP, host="shop.podpath.test")


def dns(ready: bool = True) -> View:
    """The cluster with two DNS Pods."""
    view = atlas.view()
    peers = [pod for pod in view.snapshot.pods if pod.name in ("peer-0", "peer-1")]
    pods = [
        replace(pod, namespace="kube-system", name=f"dns-{pod.name}", labels={"k8s-app": "kube-dns"},
                ip=f"10.244.0.{n + 2}", ready=ready)
        for n, pod in enumerate(peers)
    ]  # fmt: skip
    return replace(view, snapshot=replace(view.snapshot, pods=(*view.snapshot.pods, *pods)))


def replies(**codes: str) -> dict[tuple[str, str], DnsReply]:
    """What the two DNS Pods say to each node: "silent NOERROR" for the first and the second."""
    return {
        (node.replace("_", "-"), f"10.244.0.{n + 2}"): DnsReply(code)
        for node, both in codes.items()
        for n, code in enumerate(both.split())
    }


def policy(*types: str, **selector: Any) -> dict[str, Any]:
    return {
        "policies": (
            {
                "metadata": {"namespace": SERVICE_NS, "name": "deny"},
                "spec": {"podSelector": selector, "policyTypes": list(types or ("Ingress",))},
            },
        )
    }


def neighbour(state: str) -> dict[str, Any]:
    gateway = replace(honest("worker-a"), neighbours={BALANCER_IP: state})
    return {"after": {**states(), "gateway": gateway}}


def behind(ip: str) -> View:
    """The cluster in which an endpoint of the Service frontend has this address."""
    view = atlas.view()
    first, *rest = view.snapshot.endpoints[FRONTEND]
    endpoints = {**view.snapshot.endpoints, FRONTEND: (replace(first, ip=ip), *rest)}
    return replace(view, snapshot=replace(view.snapshot, endpoints=endpoints))


def without_pods() -> View:
    view = atlas.view()
    pods = tuple(pod for pod in view.snapshot.pods if pod.labels.get("app") != "frontend")
    return replace(view, snapshot=replace(view.snapshot, pods=pods))


def set_to(**spec: Any) -> tuple[dict[str, Any], ...]:
    """The Service frontend of the API with another spec."""
    of = atlas.service_json(FRONTEND)
    return ({**of, "spec": {**of["spec"], **spec}},)


def ingress(service: str, host: str = "shop.podpath.test") -> tuple[dict[str, Any], ...]:
    paths = [{"path": "/", "backend": {"service": {"name": service}}}]
    meta = {"namespace": INGRESS_NS, "name": "frontend"}
    return ({"metadata": meta, "spec": {"rules": [{"host": host, "http": {"paths": paths}}]}},)


def unready(name: str) -> tuple[dict[str, Any], ...]:
    """The API's Pods, of which one is not ready."""
    status = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False", "reason": "Unready"}]}
    pods = atlas.lists()[1]
    return tuple({**one, "status": status} if one["metadata"]["name"] == name else one for one in pods)


def answered(pod: str) -> Any:
    return red(ask(said=answer(pod=pod)), failure=Failure.WRONG_RESPONDER, target=WRONG_WAY)


FIREWALLED = way(rule("-j REJECT", "DROP", "filter/KUBE-POD-FW-X", 7))
ENFORCED = red(ask(met=[FIREWALLED], said=REFUSED), target=to_pod("peer-1"))
COUNTED = {"ruleset": rules(filter="[9:540] -A FORWARD " + TEXT + "\n")}
OTHERS = {"ruleset": rules(filter="[9:540] -A FORWARD -d 10.9.9.9/32 -j DROP\n")}
LAST = red(ask(hop("worker-a cbr0 in", dst=POD)))

CASES: list[tuple[str, str, str, Scene, Scene]] = [
    ("rule_drops", "worker-a", f"filter/FORWARD rule 1 ({TEXT}): it ended 1 packets",
     scene(red(ask(met=[way(DROP)]))), scene(red(ask(met=[way(replace(DROP, verdict="ACCEPT"))])))),
    ("rule_drops", "worker-a", "the policy of filter/FORWARD is DROP",
     scene(red(ask(met=[way(POLICY)]))), scene(red(ask(met=[way(replace(POLICY, verdict="ACCEPT"))])))),
    ("rule_drops", "worker-a", "it counted 9 packets in the replay",
     scene(LAST, after=states(worker_a=COUNTED)), scene(LAST, after=states(worker_a=OTHERS))),
    ("rule_rejects", "worker-a", "-j REJECT",
     scene(red(ask(met=[way(rule("-j REJECT", "DROP"))]))), scene(red(ask(said=REFUSED)))),
    ("packet_loss", "worker-a", "--probability 0.5",
     scene(red(ask(met=[way(rule("-m statistic --mode random --probability 0.5 -j DROP", "DROP"))]))),
     scene(red(failure=Failure.PACKETS_LOST))),
    ("too_big", "worker-a", "-m length --length 1000:65535",
     scene(red(ask(met=[way(rule("-m length --length 1000:65535 -j DROP", "DROP"))]))),
     scene(red(failure=Failure.SIZE_LOST))),
    ("needless_nat", "worker-a", "nat/POSTROUTING rule 1 (-j MASQUERADE)", scene(NATTED), scene(LIKE)),
    ("exposed", "worker-a", "translated the replay's request", scene(EXPOSED), scene(BY_SERVICE)),
    ("exposed", "podpath-gateway", "left the gateway towards 10.244.1.3",
     scene(red(ask(GATED, said=PASSED), failure=Failure.UNEXPECTED_ANSWER, place=OUTSIDE)),
     scene(red(ask(GATE, said=PASSED), failure=Failure.UNEXPECTED_ANSWER, place=OUTSIDE))),
    ("port_closed", "worker-a", "10.244.1.3:80 answered the SYN by a RST that came out of the Pod itself",
     scene(red(RST)), scene(red(FAR_RST))),
    ("policy_denies", "", "its podSelector is every Pod", scene(TO_PEER, **policy()),
     scene(red(DELIVERED, target=to_pod("peer-1")), **policy())),
    ("policy_denies", "", "kube-router enforces it: filter/KUBE-POD-FW-X rule 7 of worker-a (-j REJECT)",
     scene(ENFORCED, **policy()), scene(red(ask(met=[way(DROP)]), target=to_pod("peer-1")), **policy())),
    ("policy_denies", "", "{'matchLabels': {'app': 'peer'}}",
     scene(TO_PEER, **policy(matchLabels={"app": "peer"})), scene(TO_PEER, **policy("Egress"))),
    ("policy_denies", "", "'operator': 'In'",
     scene(TO_PEER, **policy(matchExpressions=[{"key": "app", "operator": "In", "values": ["peer"]}])),
     scene(TO_PEER, **policy(matchExpressions=[{"key": "app", "operator": "NotIn", "values": ["peer"]}]))),
    ("dns_down", "", "dns-peer-0 Running", scene(BY_NAME, view=dns(ready=False)), scene(BY_NAME, view=dns())),
    ("dns_silent", "worker-a", "1 of 2 DNS Pods are silent",
     scene(BY_NAME, view=dns(), lookups=replies(worker_a="silent NOERROR", worker_b="silent NOERROR")),
     scene(BY_NAME, view=dns(), lookups=replies(worker_a="NOERROR NOERROR", worker_b="silent NOERROR"))),
    ("dns_unreachable", "worker-a", "asked from a Pod of worker-a",
     scene(BY_NAME, view=dns(), lookups=replies(worker_a="silent silent", worker_b="NOERROR NOERROR")),
     scene(BY_NAME, view=dns(), lookups=replies(worker_a="silent NOERROR", worker_b="NOERROR NOERROR"))),
    ("dns_refuses", "", "10.244.0.2 asked from worker-a: REFUSED",
     scene(BY_NAME, view=dns(), lookups=replies(worker_a="REFUSED NOERROR", worker_b="REFUSED NOERROR")),
     scene(red(), view=dns(), lookups=replies(worker_a="REFUSED NOERROR", worker_b="REFUSED NOERROR"))),
    ("dns_refuses", "", "10.244.0.2 asked from worker-a: REFUSED",
     scene(replace(BY_NAME, place=at("client-b")), view=dns(),
           lookups=replies(worker_a="REFUSED NOERROR", worker_b="silent NOERROR")),
     scene(replace(BY_NAME, place=at("client-b")), view=dns(),
           lookups=replies(worker_a="REFUSED NOERROR", worker_b="NOERROR NOERROR"))),
    ("dns_unknown", "", "NXDOMAIN",
     scene(BY_NAME, view=dns(), lookups=replies(worker_a="NXDOMAIN NXDOMAIN")),
     scene(BY_NAME, view=dns(), lookups=replies(worker_a="NOERROR NOERROR"))),
    ("dns_stale", "", "the API has 10.96.0.80",
     scene(STALE, view=dns()), scene(STALE, view=dns(), lookups=replies(worker_a="SERVFAIL SERVFAIL"))),
    ("dead_endpoint", "", "names 10.244.1.99, which is no Pod's",
     scene(red(), view=behind("10.244.1.99")), scene(red(target=to_pod()), view=behind("10.244.1.99"))),
    ("foreign_endpoint", "worker-a", "spare, which its selector does not select",
     scene(red(), view=behind("10.244.1.7")), scene(red())),
    ("selector_empty", "", "has the labels app=frontend", scene(red(), view=without_pods()), scene(red())),
    ("balancer_gone", "", f"no ARP reply for {BALANCER_IP} (neighbour state FAILED)",
     scene(FROM_OUTSIDE, **neighbour("FAILED")), scene(TAKEN, **neighbour("REACHABLE"))),
    ("balancer_silent", "", "accepted every connection of the replay",
     scene(TAKEN), scene(red(ask(GATE, hop("worker-a eth0 in"), said=answer(28, local_port=20000)),
                             place=OUTSIDE, target=BALANCED))),
    ("balancer_silent", "", "no answer came",
     scene(TAKEN), scene(replace(TAKEN, tries=(ask(said=answer(28, local_port=20000)),)))),
    ("no_configuration", "", "answered every SYN of the replay by a RST", scene(TURNED), scene(UNSEEN)),
    ("no_configuration", "", "is for host shop.podpath.test and path /",
     scene(red(failure=Failure.WRONG_STATUS, target=WRONG_WAY), ingresses=ingress("shop", "a.test")),
     scene(red(failure=Failure.UNEXPECTED_ANSWER, target=WRONG_WAY), ingresses=ingress("shop", "a.test"))),
    ("no_configuration", "", "no rule of Gateway frontend",
     scene(red(failure=Failure.WRONG_STATUS, target=replace(WRONG_WAY, address=atlas.GATEWAY_IP, ips=()))),
     scene(red(failure=Failure.UNEXPECTED_ANSWER,
               target=replace(WRONG_WAY, address=atlas.GATEWAY_IP, ips=())))),
    ("wrong_backend", "", "→ blog, and a Pod of it answered",
     scene(answered("blog-1"), ingresses=ingress("blog")),
     scene(answered("shop-1"), ingresses=ingress("blog"))),
    ("session_affinity", "", "spec.sessionAffinity is ClientIP",
     scene(red(ask(said=PASSED), failure=Failure.NOT_BALANCED), services=set_to(sessionAffinity="ClientIP")),
     scene(red(failure=Failure.NOT_BALANCED), services=set_to(sessionAffinity="ClientIP"))),
    ("session_affinity", "", "spec.sessionAffinity is None",
     scene(red(failure=Failure.NOT_KEPT), services=set_to()),
     scene(red(ask(said=PASSED), failure=Failure.NOT_BALANCED), services=set_to())),
    ("traffic_policy", "", "its ready Pods are on worker-a, worker-b",
     scene(red(failure=Failure.NOT_BALANCED), services=set_to(internalTrafficPolicy="Local")),
     scene(red(failure=Failure.NOT_BALANCED), services=set_to())),
    ("traffic_policy", "", "the client's address is kept",
     scene(FROM_OUTSIDE, services=set_to(externalTrafficPolicy="Local")),
     scene(FROM_OUTSIDE, services=set_to(externalTrafficPolicy="Cluster"))),
    ("pod_not_ready", "worker-a", "phase Pending",
     scene(red(), pods=unready("frontend-1")), scene(red(target=to_pod()), pods=unready("frontend-1"))),
    ("fence_open", "worker-a", "worker-a has no rule",
     scene(red(failure=Failure.NOT_FENCED, why="worker-a has no rule")),
     scene(red(why="worker-a has no rule"))),
    ("stale_variables", "", "differs",
     scene(red(failure=Failure.NO_VARIABLES, why="differs")), scene(red(why="differs"))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "node", "evidence", "holds", "neighbour"), CASES)
def test_a_cause_holds_by_its_evidence_and_not_by_the_symptom(
    kind: str, node: str, evidence: str, holds: Scene, neighbour: Scene
) -> None:
    (cause,) = found(holds, kind)
    assert cause.node == node and evidence in " ".join(cause.evidence)
    assert cause.explains == {one.id for one in holds.reds}
    assert cause.look and cause.what
    assert not any(cause.explains for cause in found(neighbour, kind))


def test_a_drop_is_told_with_commands_for_the_program_that_keeps_it() -> None:
    seen = states(worker_a={"ruleset": rules(filter=f"[9:540] -A FORWARD {TEXT}\n")})
    (by_iptables,) = found(scene(red(ask(met=[way(DROP)])), after=seen), "rule_drops")
    assert by_iptables.mend.endswith("iptables -t filter -D FORWARD 1")
    assert "it counted 9 packets" in by_iptables.evidence[0]
    assert by_iptables.what == "worker-a drops requests from Pod client-a to Pod frontend-1"
    own = rule("tcp dport 80 drop", "DROP", "own/rules", handle=3)
    (by_nft,) = found(scene(red(ask(met=[way(own)]))), "rule_drops")
    assert by_nft.mend.endswith("nft delete rule ip own rules handle 3")
    (by_policy,) = found(scene(red(ask(met=[way(rule("", "DROP", "own/rules"))]))), "rule_drops")
    assert by_policy.mend.endswith("nft add chain ip own rules '{ policy accept ; }'")
    (kept,) = found(scene(red(ask(met=[way(rule("-j DROP", "DROP", "filter/KUBE-FORWARD"))]))), "rule_drops")
    assert kept.weak and kept.mend == "scripts/up kind"


def test_a_rule_that_ends_questions_for_dns_explains_the_lookups_of_that_node() -> None:
    met = way(rule("-p udp --dport 53 -j DROP", "DROP"), dst="10.96.0.10:53", src="10.244.1.9:4000", flags="")
    inside, outside = BY_NAME, replace(BY_NAME, id="I1", place=OUTSIDE)
    (cause,) = found(scene(inside, outside, passages=(met,)), "rule_drops")
    assert cause.explains == {inside.id} and "DNS questions" in cause.what


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("-j DROP", True),
        ("-s 10.244.1.0/24 -d 10.244.1.3/32 -j DROP", True),
        ("! -s 10.244.1.0/24 -j DROP", False),
        ("! -d 10.9.0.0/16 -j DROP", True),
        ("-d 10.244.2.0/24 -j DROP", False),
        ("-p udp -j DROP", False),
        ("! -p udp -j DROP", True),
        ("-p tcp -m tcp --dport 80 -j DROP", True),
        ("-p tcp -m tcp ! --dport 80 -j DROP", False),
        ("-p tcp -m tcp --dport 8000:9000 -j DROP", False),
        ("-p tcp -m tcp --sport 20000: -j DROP", True),
        ("-p tcp -m multiport --dports 443,8080 -j DROP", False),
        ("-p tcp -m multiport --dports 443,70:90 -j DROP", True),
    ],
)
def test_whether_a_rule_is_for_a_packet(text: str, fits: bool) -> None:
    assert matches(text, CLIENT, POD) is fits


def test_two_faults_at_once_are_both_named_the_wider_first() -> None:
    node = rule("-d 10.244.2.3/32 -j DROP", "DROP")
    first = red(ask(met=[way(node, dst=FAR)]), id="S6-1-80")
    second, third = (red(RST, id=id) for id in ("P1-1", "P1-2"))
    assert told(scene(first, second, third)) == ["port_closed", "rule_drops"]
    wide = [red(ask(met=[way(node, dst=FAR)]), id=f"S2-{n}") for n in range(3)]
    assert told(scene(*wide, second)) == ["rule_drops", "port_closed"]


def test_a_weak_cause_is_told_only_where_nothing_else_explains_a_red() -> None:
    local = set_to(sessionAffinity="ClientIP")
    kept = red(ask(said=PASSED), failure=Failure.NOT_BALANCED)
    assert told(scene(kept, services=local)) == ["session_affinity"]
    dropped = red(ask(met=[way(DROP)]), failure=Failure.NOT_BALANCED)
    assert told(scene(dropped, services=local)) == ["rule_drops"]


def test_a_red_that_follows_from_another_has_its_cause() -> None:
    root = red(ask(met=[way(DROP)]))
    leaf = red(id="F1-1", failure=Failure.CONTROL_FAILED, leans_on=(root.id,))
    far = red(id="F1-2", failure=Failure.RESTS_ON, leans_on=(leaf.id,))
    alone = red(id="F1-3", leans_on=(root.id,))
    seen = scene(root)
    (cause,), rest = ordered(found_in(seen), (root, leaf, far, alone))
    assert cause.explains == {root.id, leaf.id, far.id} and rest == []


def test_a_symptom_alone_names_nothing() -> None:
    for failure in (Failure.TIMED_OUT, Failure.REFUSED, Failure.NO_ANSWER, Failure.NOT_BALANCED,
                    Failure.WRONG_RESPONDER, Failure.SIZE_LOST, Failure.PACKETS_LOST, Failure.NAT_FOUND,
                    Failure.TABLES_DIFFER, Failure.UNEXPECTED_ANSWER, Failure.NOT_FOLLOWED):  # fmt: skip
        for target in (to(), to_pod(), BALANCED):
            for place in (None, OUTSIDE):
                lost = ask(hop("worker-a cbr0 in", dst=ASKED))
                seen = red(lost, failure=failure, target=target, place=place)
                assert found_in(scene(seen)) == [], failure


def test_a_balancer_whose_connection_a_node_met_is_not_silent() -> None:
    opening = way(rule("-j ACCEPT", "ACCEPT"), src=f"{BALANCER_IP}:41000", dst=POD)
    health = replace(opening, destination="172.18.0.2:10256")
    assert not found(scene(TAKEN, passages=(opening,)), "balancer_silent")
    assert found(scene(TAKEN, passages=(health,)), "balancer_silent")


def test_a_balancer_that_answers_by_an_error_is_not_gone() -> None:
    refused_by_nobody = red(ask(GATE), place=OUTSIDE, target=BALANCED)
    answered_503 = red(
        ask(GATE, said=answer(0, http_code=503, local_port=20000)), place=OUTSIDE, target=BALANCED
    )
    assert found(scene(refused_by_nobody), "balancer_gone")
    assert not found(scene(answered_503), "balancer_gone")


def test_a_rule_that_ends_what_a_balancer_sends_explains_who_asks_the_balancer() -> None:
    met = way(DROP, src=f"{BALANCER_IP}:41000", dst=POD)
    through = red(ask(GATE), place=OUTSIDE, target=BALANCED, askers=frozenset({BALANCER_IP}))
    beside = red(id="I2-80", place=OUTSIDE)
    (cause,) = found(scene(through, beside, passages=(met,)), "rule_drops")
    assert cause.explains == {through.id}


def test_servers_whose_packets_end_at_a_rule_are_not_called_silent() -> None:
    silent = replies(worker_a="silent silent", worker_b="silent silent")
    ended = way(rule("-p udp --sport 53 -j DROP", "DROP"), src="10.244.0.2:53", dst="10.244.1.9:4000")
    both, cut = (scene(BY_NAME, view=dns(), lookups=silent, passages=met) for met in ((), (ended,)))
    assert found(both, "dns_silent")[0].what.startswith("the DNS Pods dns-peer-0")
    assert "dns-peer-0" not in found(cut, "dns_silent")[0].what


def test_a_chain_whose_pods_ask_dns_is_red_by_the_dns() -> None:
    chain = red(id="P6", failure=Failure.BROKEN_CHAIN, askers=frozenset({"10.244.1.3"}))
    asked = way(rule("-j ACCEPT", "ACCEPT"), src="10.244.1.3:4000", dst="10.96.0.10:53", flags="")
    for passages, explained in (((asked,), {"P6", BY_NAME.id}), ((), {BY_NAME.id})):
        seen = scene(chain, BY_NAME, view=dns(ready=False), passages=passages)
        assert found(seen, "dns_down")[0].explains == explained


def test_a_port_by_a_name_that_no_container_has_is_told_with_the_names_they_have() -> None:
    def spec(target: str | int) -> tuple[dict[str, Any], ...]:
        return set_to(ports=[{"name": "nginx", "port": 80, "targetPort": target}])

    (cause,) = found(
        scene(red(), red(id="S6-1-8080", target=replace(to(), port=8080)), services=spec("web")),
        "target_port",
    )
    assert cause.explains == {"S6-1-80"} and "80 → targetPort web; ports of its" in cause.evidence[0]
    assert found(scene(red(), services=spec(80)), "target_port") == []
    nobody = scene(red(), services=spec("web"), view=without_pods())
    assert found(nobody, "target_port") == []
