"""Causes of what happens to a packet between two places: no way on, a silent Pod, strange rules."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from scripts.causes.cover import ordered
from scripts.causes.scene import Red, Scene
from scripts.checks.verdict import Failure
from scripts.evidence.links import EVERYWHERE, Route
from scripts.evidence.routing import PolicyRule, policies, way
from scripts.evidence.ruletrace import Passage
from scripts.suite.causes import found_in
from tests.unit.atlas import BALANCER_IP
from tests.unit.scenes import (
    ASKED,
    CLIENT,
    FAR,
    LOST,
    OUTSIDE,
    PASSED,
    POD,
    REFUSED,
    answer,
    ask,
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
)
from tests.unit.scenes import way as passing

AWAY = "172.30.0.9:80"
NO_WAY = Route(IPv4Network("172.30.0.0/16"), type="unreachable")
DEFAULT = Route(EVERYWHERE, "eth0", "172.18.0.1")
BLOCKED = PolicyRule(100, IPv4Network("10.244.1.0/24"), table="", action="blackhole")
MAIN = PolicyRule(32766)
CAME_IN = red(ask(hop("worker-a cbr0 in", dst=AWAY)), target=to_pod())
INTO_POD = hop("worker-a veth-frontend-1 out", kind="pod")
ACCEPTED = hop("worker-a veth-frontend-1 in", POD, CLIENT, "reply", "pod")
IGNORED = red(ask(INTO_POD), target=to_pod())
AT_BRIDGE = red(ask(hop("worker-a cbr0 out", kind="bridge")))
TO_BALANCER = red(
    ask(hop("gateway eth0 out", "172.18.0.21:9", f"{BALANCER_IP}:80")),
    place=OUTSIDE, target=to(address=BALANCER_IP),
)  # fmt: skip
ANSWERED = replace(TO_BALANCER, tries=(replace(TO_BALANCER.tries[0], answer=PASSED),))
NOTRACK = rule("-p tcp -j CT --notrack", "CONTINUE", "raw/PREROUTING")
HIJACK = rule("-d 10.96.0.80/32 -j DNAT --to-destination 10.244.2.3:80", "ACCEPT", "nat/PREROUTING")
OWN = rule("-p tcp -j DNAT --to-destination 10.244.2.3:80", "ACCEPT", "nat/KUBE-SEP-X")
TTL = rule("-p tcp -j TTL --ttl-set 1", "CONTINUE", "mangle/PREROUTING")


def by_routes(*more: Route) -> dict[str, Any]:
    return {"routes": (*honest("worker-a").routes, *more)}


def fixed(ip: str, state: str = "PERMANENT") -> dict[str, Any]:
    return {"neighbours": {**honest("worker-a").neighbours, ip: state}}


def spent(count: int) -> dict[str, Any]:
    return {"counters": {"InHdrErrors": count}}


CASES: list[tuple[str, str, str, Scene, Scene]] = [
    ("no_route", "worker-a", "no route to 172.30.0.9; the replay's packets came into worker-a",
     scene(CAME_IN), scene(CAME_IN, after=states(worker_a=by_routes(DEFAULT)))),
    ("no_route", "worker-a", "route unreachable 172.30.0.0/16",
     scene(CAME_IN, after=states(worker_a=by_routes(NO_WAY))),
     scene(red(ask(hop("worker-a eth0 out", dst=AWAY))), after=states(
         worker_a=by_routes(NO_WAY)))),
    ("no_route", "worker-a", "policy rule 100: from 10.244.1.0/24 blackhole",
     scene(CAME_IN, after=states(worker_a={**by_routes(DEFAULT), "policies": (BLOCKED, MAIN)})),
     scene(CAME_IN, after=states(worker_a={**by_routes(DEFAULT), "policies": (MAIN,)}))),
    ("pod_silent", "worker-a", "not even the connection was accepted",
     scene(IGNORED), scene(red(ask(INTO_POD, ACCEPTED, back="RST")))),
    ("pod_silent", "worker-a", "its kernel accepted the connection, and its program sent no answer",
     scene(red(ask(INTO_POD, said=answer(28, local_port=20000), back="SYN ACK"))),
     scene(red(ask(INTO_POD, ACCEPTED, back="SYN ACK")))),
    ("pod_silent", "worker-a", "its kernel accepted the connection, and its program sent no answer",
     scene(red(ask(INTO_POD, said=answer(28, local_port=20000)))),
     scene(red(ask(INTO_POD, ACCEPTED, said=answer(28, local_port=20000))))),
    ("pod_silent", "worker-a", "nothing came out of it",
     scene(red(ask(replace(INTO_POD, leg=2), said=answer(28, local_port=20000)))),
     scene(red(ask(replace(INTO_POD, leg=2), ACCEPTED)))),
    ("wrong_neighbour", "worker-a", "10.244.1.3 PERMANENT",
     scene(AT_BRIDGE, after=states(worker_a=fixed("10.244.1.3"))),
     scene(AT_BRIDGE, after=states(worker_a=fixed("10.244.1.4")))),
    ("balancer_gone", "", f"left the gateway for {BALANCER_IP}, and nothing came back",
     scene(TO_BALANCER), scene(ANSWERED)),
    ("untracked", "worker-a", "raw/PREROUTING rule 1 (-p tcp -j CT --notrack)",
     scene(red(ask(met=[passing(NOTRACK, dst=ASKED)]))),
     scene(red(ask(met=[passing(NOTRACK)]), target=to_pod()))),
    ("redirected", "worker-a", "nat/PREROUTING rule 1",
     scene(red(ask(met=[passing(HIJACK, dst=ASKED)]), failure=Failure.WRONG_RESPONDER)),
     scene(red(ask(met=[passing(OWN, dst=ASKED)]), failure=Failure.WRONG_RESPONDER))),
    ("ttl_spent", "worker-a", "grew by 6 in the replay; mangle/PREROUTING (-p tcp -j TTL --ttl-set 1)",
     scene(red(ask(hop("worker-a cbr0 in"), met=[passing(TTL)])),
           before=states(worker_a=spent(1)), after=states(worker_a=spent(7))),
     scene(red(ask(hop("worker-a cbr0 in"), met=[passing(TTL)])),
           before=states(worker_a=spent(7)), after=states(worker_a=spent(7)))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "node", "evidence", "holds", "neighbour"), CASES)
def test_a_cause_holds_by_its_evidence_and_not_by_the_symptom(
    kind: str, node: str, evidence: str, holds: Scene, neighbour: Scene
) -> None:
    (cause,) = found(holds, kind)
    assert cause.node == node and evidence in " ".join(cause.evidence)
    assert cause.explains == {one.id for one in holds.reds} and cause.look
    assert kind not in told(neighbour)


def test_a_silent_pod_is_told_only_where_nothing_else_explains_its_reds() -> None:
    dropped = rule("-j DROP", "DROP")
    both = replace(IGNORED, tries=(*IGNORED.tries, ask(met=[passing(dropped)])))
    assert told(scene(IGNORED)) == ["pod_silent"] and told(scene(both)) == ["rule_drops"]


def test_no_cluster_is_blamed_for_routing_pods_in_its_own_way() -> None:
    bare = {"routes": (DEFAULT,)}
    lost = red(ask(hop("worker-a eth0 out", dst=FAR), said=LOST))
    assert told(scene(lost, after=states(worker_a=bare, worker_b=bare, control=bare))) == []


def test_a_packet_takes_the_first_rule_that_has_a_way_and_there_the_longest_prefix() -> None:
    near, far = Route(IPv4Network("10.0.0.0/8"), "a"), Route(IPv4Network("10.1.0.0/16"), "b")
    special = Route(IPv4Network("10.1.2.0/24"), "c", table="100")
    rules = (PolicyRule(10, IPv4Network("10.9.0.0/16"), table="100"), MAIN)
    assert way([near, far, special], rules, "10.8.0.1", "10.1.2.3") == far
    assert way([near, far, special], rules, "10.9.0.1", "10.1.2.3") == special
    assert way([near, far, special], rules, "10.9.0.1", "10.1.9.3") == far
    assert way([far], rules, "10.9.0.1", "192.0.2.1") is None


def test_policy_rules_are_read_as_iproute2_prints_them() -> None:
    printed: list[dict[str, Any]] = [
        {"priority": 32766, "src": "all", "table": "main"},
        {"priority": 100, "src": "10.244.1.0", "srclen": 24, "action": "blackhole"},
        {"priority": 5, "src": "all", "fwmark": "0x1", "table": "7"},
        {"priority": "?"},
    ]
    marked, blocked, main = policies(printed)
    assert (blocked, main) == (BLOCKED, MAIN)
    assert marked.other and not main.other and str(blocked) == "100: from 10.244.1.0/24 blackhole"


VIA = Route(IPv4Network("10.244.2.0/24"), "eth0", "172.18.0.3")
BALANCER = red(ask(), place=OUTSIDE, askers=frozenset({BALANCER_IP}))
SENT = passing(rule("-j ACCEPT", "ACCEPT"), src=f"{BALANCER_IP}:41000", dst=FAR)


@pytest.mark.parametrize(
    ("one", "route", "passages", "named"),
    [
        (red(ask(hop("worker-a eth0 out", dst=FAR))), VIA, (), True),
        (red(ask(hop("worker-a eth0 out", dst=FAR))), replace(VIA, flags=frozenset({"onlink"})), (), False),
        (red(ask(hop("worker-a eth0 out", dst=POD))), VIA, (), False),
        (BALANCER, VIA, (SENT,), True),
        (BALANCER, VIA, (SENT, replace(SENT, node="worker-b")), False),
        (red(ask(met=[replace(SENT, source=CLIENT)])), VIA, (), True),
    ],
)
def test_a_fixed_address_of_the_next_stop_loses_what_is_sent_on_by_it(
    one: Red, route: Route, passages: tuple[Passage, ...], named: bool
) -> None:
    away = states(worker_a={**fixed(VIA.via), "routes": (route,)})
    seen = scene(one, after=away)
    causes = found(replace(seen, passages=(*seen.passages, *passages)), "wrong_neighbour")
    assert [cause.node for cause in causes] == ["worker-a"] * named


def test_an_answer_to_a_node_that_lent_its_address_is_for_who_asked_the_node() -> None:
    lost = rule("-p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP", "DROP")
    asking = passing(rule("-j ACCEPT", "ACCEPT"), src=f"{BALANCER_IP}:41000", dst=FAR)
    through = red(
        ask(hop("gateway eth0 out", "172.18.0.21:9", f"{BALANCER_IP}:80")),
        place=OUTSIDE,
        target=to(address=BALANCER_IP),
        askers=frozenset({BALANCER_IP}),
    )
    for back, explained in (("10.244.2.1:5000", {through.id}), (CLIENT, set[str]())):
        ended = passing(lost, node="worker-b", src=FAR, dst=back, flags="0x12")
        named = found(scene(through, passages=(asking, ended)), "rule_drops")
        assert {id for cause in named for id in cause.explains} == explained


def test_a_rule_that_is_named_for_some_and_counted_for_others_is_one_cause() -> None:
    counted = states(worker_a={"ruleset": rules(filter="[9:540] -A FORWARD -p tcp -j DROP\n")})
    drop = rule("-p tcp -j DROP", "DROP")
    unnamed = red(ask(hop("worker-a cbr0 in", dst=FAR)), id="E2", target=to_pod())
    (cause,), rest = ordered(
        found_in(scene(red(ask(met=[passing(drop)])), unnamed, after=counted)), (red(), unnamed)
    )
    assert cause.explains == {"S6-1-80", "E2"} and rest == []


@pytest.mark.parametrize(
    ("text", "last", "named"),
    [
        ("-d 198.18.0.2/32 -p tcp -j REJECT --reject-with tcp-reset", "gateway eth0 in", True),
        ("-d 198.18.0.2/32 -p tcp -j DROP", "gateway eth0 in", False),
        ("-d 198.18.0.2/32 -p tcp -j REJECT --reject-with tcp-reset", "gateway eth1 out", False),
    ],
)
def test_a_rule_on_the_gateway_that_answers_with_a_rst_is_named(text: str, last: str, named: bool) -> None:
    gateway = replace(honest("worker-a"), ruleset=rules(filter=f"[3:180] -A FORWARD {text}\n"))
    away = "198.18.0.2:80"
    back = hop("gateway eth0 out", away, "172.18.0.2:5000", "reply", "uplink")
    refused = ask(hop(last, "172.18.0.2:5000", away, kind="uplink"), back, said=REFUSED, back="RST")
    seen = scene(
        red(refused, target=to_pod()),
        before={**states(), "gateway": honest("worker-a")},
        after={**states(), "gateway": gateway},
    )
    assert [cause.kind for cause in found(seen, "rule_rejects")] == ["rule_rejects"] * named
