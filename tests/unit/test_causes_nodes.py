"""Causes that are a node's: each holds in a scene, and not in its neighbour of the same symptom."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import pytest

from scripts.causes.scene import Red, Scene, Try
from scripts.checks.verdict import Failure
from scripts.evidence.links import Address, Route, Wiring
from scripts.evidence.netfilter import read_ruleset
from scripts.evidence.nodestate import Device, NodeState
from scripts.evidence.nodeview import Kernel, NodeView
from scripts.suite.causes import found_in
from tests.unit import atlas
from tests.unit.atlas import BALANCER_IP
from tests.unit.scenes import (
    ASKED,
    FAR,
    OUTSIDE,
    PASSED,
    RULES,
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
    to_pod,
    told,
    way,
    with_device,
    with_switch,
)

OWN = "10.244.1.9:80"
"""The client itself, behind a Service that it asks."""
LOST_THERE = red(ask(hop("worker-a veth-client-a in", dst=ASKED)))
AT_UPLINK = red(ask(hop("worker-a eth0 out", dst=FAR, kind="uplink")))
ELSEWHERE = red(ask(hop("worker-b eth0 in", src="10.244.2.9:20000")), place=None, target=to_pod("peer-1"))
FAR_RED = replace(ELSEWHERE, place=replace(ELSEWHERE.place or OUTSIDE, node="worker-b"))
HAIRPIN = red(ask(hop("worker-a veth-client-a in", dst=OWN)))
LARGE = red(ask(), failure=Failure.SIZE_LOST)
BARE = red(ask(hop("worker-a eth0 out", dst="198.18.0.2:80", kind="uplink")))
MASKED = red(ask(hop("worker-a eth0 out", src="172.18.0.2:20000", dst="198.18.0.2:80", kind="uplink")))
GATE = red(ask(hop("gateway eth1 out", src="172.18.0.2:9", dst="198.18.0.2:80", label="to the outside")))
SEEN_THERE = red(why="worker-a has rules of another mode", failure=Failure.WRONG_MODE)
DEAD = {"proxy": "", "proxy_exit": 7}
JUMP = "[5:300] -A PREROUTING -j KUBE-SERVICES\n"
NO_JUMP = read_ruleset(RULES.replace(JUMP, "").format(filter="", nat=""))
EMPTY = read_ruleset("*nat\n:PREROUTING ACCEPT [0:0]\n[5:300] -A PREROUTING -j KUBE-SERVICES\nCOMMIT\n")


def routes(*changed: Route) -> dict[str, Any]:
    """worker-a's routes, but for worker-b's Pods these."""
    kept = [one for one in honest("worker-a").routes if str(one.dst) != "10.244.2.0/24"]
    return {"routes": (*kept, *changed)}


def route(via: str = "", type: str = "unicast", dst: str = "10.244.2.0/24", **more: Any) -> Route:
    return Route(IPv4Network(dst), "eth0", via, type=type, **more)


def grown(**counters: int) -> dict[str, Any]:
    return {"counters": {**honest("worker-a").counters, **counters}}


FULL = with_switch("worker-a", nf_conntrack_count="65536")
STRICT = with_switch("worker-a", rp_filter="1")
DROPS = {"tracking": {"drop": 9, "early_drop": 0, "insert_failed": 0}}
PORT = "veth-peer-0"
OFF_BRIDGE = with_device("worker-a", "veth-client-a", master="")
ALONE = {"devices": {"eth0": Device("eth0", kind="veth"), PORT: Device(PORT, kind="veth")}}
UNFILTERED = states(worker_a=with_switch("worker-a", bridge_nf_call_iptables="0"))
DOWN = states(worker_a=with_device("worker-a", "eth0", up=False))
BLOCKED = states(worker_a=with_device("worker-a", "veth-client-a", blocking=True))
DROPPED = states(worker_a=with_device("worker-a", "eth0", dropped=8))
SIZES = {"S6-1-80": {100: True, 1000: True, 1400: False}}
ALL_SIZES = {"S6-1-80": {100: True, 1400: True}}
SILENT = replace(atlas.view(), silent={"worker-b": "no answer in 5 s"})
NO_AGENT = tuple(one for one in atlas.lists()[1] if one["metadata"]["name"] != "agent-worker-a")
BLIND = red(failure=Failure.NO_EVIDENCE, why="no node-agent on worker-a")


def owning(ip: str) -> Kernel:
    """worker-b has this address."""
    return Kernel({"worker-b": NodeView(wiring=Wiring(addresses=(Address("lo", IPv4Interface(ip)),)))})


CASES: list[tuple[str, str, str, Scene, Scene]] = [
    ("forwarding_off", "worker-a", "net.ipv4.ip_forward = 0",
     scene(LOST_THERE, after=states(worker_a=with_switch("worker-a", ip_forward="0"))),
     scene(LOST_THERE)),
    ("forwarding_off", "worker-a", "net.ipv4.conf.eth0.forwarding = 0",
     scene(LOST_THERE, after=states(worker_a=with_switch("worker-a", forwarding="0"))),
     scene(FAR_RED, after=states(worker_a=with_switch("worker-a", forwarding="0")))),
    ("bridge_filter_off", "worker-a", "bridge-nf-call-iptables = 0",
     scene(LOST_THERE, after=UNFILTERED),
     scene(red(target=to_pod()), after=UNFILTERED)),
    ("conntrack_full", "worker-a", "drop grew by 9",
     scene(LOST_THERE, after=states(worker_a={**FULL, **DROPS})),
     scene(LOST_THERE, after=states(worker_a=FULL))),
    ("conntrack_full", "worker-a", "nf_conntrack_count 65536",
     scene(LOST_THERE, after=states(worker_a={**FULL, **DROPS})),
     scene(LOST_THERE, after=states(worker_a=DROPS))),
    ("reverse_path", "worker-a", "grew by 4",
     scene(LOST_THERE, after=states(worker_a={**grown(IPReversePathFilter=7), **STRICT})),
     scene(LOST_THERE, after=states(worker_a=STRICT))),
    ("no_route", "worker-a", "no route to 10.244.2.0/24",
     scene(AT_UPLINK, after=states(worker_a=routes())),
     scene(LOST_THERE, after=states(worker_a=routes()))),
    ("no_route", "worker-a", "route blackhole 10.244.2.0/24",
     scene(AT_UPLINK, after=states(worker_a=routes(route(type="blackhole")))),
     scene(AT_UPLINK)),
    ("no_route", "worker-a", "leads to 172.18.0.9, which is not worker-b",
     scene(AT_UPLINK, after=states(worker_a=routes(route("172.18.0.9")))),
     scene(AT_UPLINK, after=states(worker_a=routes(route("10.244.2.0", flags=frozenset({"onlink"})))))),
    ("no_route", "worker-a", "which is down",
     scene(AT_UPLINK, after=states(worker_a=routes(route("172.18.0.3", flags=frozenset({"dead"}))))),
     scene(AT_UPLINK, after=states(worker_a=routes(route("172.18.0.3"))))),
    ("interface_down", "worker-a", "ip -d link show eth0",
     scene(red(ask(hop("worker-a eth0 out", dst=FAR))), after=DOWN),
     scene(FAR_RED, after=DOWN)),
    ("interface_down", "worker-a", "ip -d link show veth-client-a",
     scene(red(ask()), after=BLOCKED),
     scene(red(ask(said=PASSED)), after=BLOCKED)),
    ("veth_off_bridge", "worker-a", "ip -d link show veth-client-a",
     scene(red(ask()), after=states(worker_a=OFF_BRIDGE)),
     scene(red(ask()), after=states(worker_a=ALONE))),
    ("hairpin_off", "worker-a", "hairpin is off on 1 of its",
     scene(HAIRPIN, after=states(worker_a=with_device("worker-a", "veth-client-a", hairpin=False))),
     scene(LOST_THERE, after=states(worker_a=with_device("worker-a", "veth-client-a", hairpin=False)))),
    ("hairpin_off", "worker-a", "the Service chose the Pod that asked",
     scene(HAIRPIN, after=states(worker_a=with_device("worker-a", "veth-client-a", hairpin=False))),
     scene(HAIRPIN)),
    ("address_taken", "worker-b", "10.244.1.3/32",
     scene(red(ask(hop("worker-a cbr0 in"))), kernel=owning("10.244.1.3/32")),
     scene(red(ask(hop("worker-a cbr0 in"))), kernel=owning("10.9.9.9/32"))),
    ("nat_flushed", "worker-a", "chain KUBE-SERVICES has no rule",
     scene(red(), after=states(worker_a={"ruleset": EMPTY})),
     scene(red(target=to_pod()), after=states(worker_a={"ruleset": EMPTY}))),
    ("nat_flushed", "worker-a", "nat/PREROUTING does not jump to KUBE-SERVICES",
     scene(red(), after=states(worker_a={"ruleset": NO_JUMP})),
     scene(red(), after=dict.fromkeys(atlas.NODES, replace(honest("worker-a"), ruleset=rules())))),
    ("proxy_dead", "worker-a", "refuses connections there, on others it says iptables",
     scene(red(), after=states(worker_a=DEAD)),
     scene(red(), after=states(worker_a=DEAD, worker_b=DEAD, control=DEAD))),
    ("proxy_frozen", "worker-a", "accepts connections and is silent",
     scene(SEEN_THERE, after=states(worker_a={"proxy": "", "proxy_exit": 28})),
     scene(SEEN_THERE)),
    ("no_masquerade", "worker-a", "seen leaving eth0 of worker-a as 10.244.1.9:20000",
     scene(BARE), scene(MASKED)),
    ("no_masquerade", "podpath-gateway", "seen leaving eth1 of the gateway as 172.18.0.2:9",
     scene(GATE), scene(MASKED)),
    ("wrong_mtu", "worker-a", "1400 on worker-a, 1500 elsewhere",
     scene(LARGE, after=states(worker_a=with_device("worker-a", "eth0", mtu=1400))),
     scene(LARGE, after=states(worker_a=with_device("worker-a", "eth0", mtu=9000)))),
    ("too_big", "", "requests of 1350 octets passed in the replay, of 1750 were lost",
     scene(LARGE, sizes=SIZES), scene(LARGE, sizes={"S6-1-80": {100: False, 1400: False}})),
    ("too_big", "", "it is the answers that are lost",
     scene(LARGE, sizes=ALL_SIZES), scene(red(ask(said=PASSED), failure=Failure.SIZE_LOST), sizes=ALL_SIZES)),
    ("packet_loss", "worker-a", "grew by 8",
     scene(red(failure=Failure.PACKETS_LOST), after=DROPPED),
     scene(red(failure=Failure.PACKETS_LOST))),
    ("node_down", "worker-b", "no answer in 5 s",
     scene(red(ask(hop("worker-a eth0 out", dst=FAR))), view=SILENT),
     scene(red(ask(hop("worker-a eth0 out", dst=FAR))))),
    ("agent_down", "worker-a", "no ready Pod of DaemonSet node-agent",
     scene(BLIND, pods=NO_AGENT), scene(BLIND)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "node", "evidence", "holds", "neighbour"), CASES)
def test_a_cause_holds_by_its_evidence_and_not_by_the_symptom(
    kind: str, node: str, evidence: str, holds: Scene, neighbour: Scene
) -> None:
    (cause,) = found(holds, kind)
    assert cause.node == node and evidence in " ".join(cause.evidence)
    assert cause.explains == {one.id for one in holds.reds}
    assert cause.look and (not node or node in cause.what or node == "podpath-gateway")
    assert not any(cause.explains for cause in found(neighbour, kind))


def test_reds_that_a_node_has_no_part_in_are_not_explained() -> None:
    after = states(worker_a=with_switch("worker-a", ip_forward="0"))
    far = replace(FAR_RED, id="P1-2")
    (cause,) = found(scene(LOST_THERE, far, after=after), "forwarding_off")
    assert cause.explains == {"S6-1-80"}


def test_the_way_out_of_a_missing_masquerade_is_of_that_packet() -> None:
    own = rule("-s 10.244.1.9/32 -j ACCEPT", "ACCEPT", "nat/POSTROUTING", 1)
    other = rule("-d 10.244.0.0/16 -j ACCEPT", "ACCEPT", "nat/POSTROUTING", 2)
    nat = "[0:0] -A POSTROUTING -s 10.244.1.9/32 -j ACCEPT\n[0:0] -A POSTROUTING -d 10.244.0.0/16 -j ACCEPT\n"
    after = states(worker_a={"ruleset": rules(nat=nat)})
    met = [way(other), way(own, dst="198.18.0.2:80")]
    (cause,) = found(scene(replace(BARE, tries=(replace(BARE.tries[0], passages=tuple(met)),)), after=after),
                     "no_masquerade")  # fmt: skip
    assert cause.mend.endswith("iptables -t nat -D POSTROUTING 1")
    assert "-s 10.244.1.9/32" in cause.evidence[1]
    foreign = replace(BARE, tries=(replace(BARE.tries[0], passages=(way(other),)),))
    (cause,) = found(scene(foreign, after=after), "no_masquerade")
    assert cause.mend == "scripts/up kind" and len(cause.evidence) == 1


def test_what_follows_from_another_cause_on_its_node_is_not_told() -> None:
    after = states(worker_a={**routes(), **grown(IPReversePathFilter=9), **STRICT})
    seen = scene(AT_UPLINK, after=after)
    assert found(seen, "reverse_path") and told(seen) == ["no_route"]


def test_nothing_is_told_of_an_honest_cluster() -> None:
    assert found_all(scene()) == []
    answered = red(ask(hop("worker-a cbr0 in"), said=PASSED), failure=Failure.NOT_BALANCED)
    assert found_all(scene(answered)) == []
    unasked = red(ask(hop("worker-a cbr0 in"), hop("worker-b veth-frontend-2 out", dst=FAR)))
    assert found_all(scene(unasked)) == []


def found_all(seen: Scene) -> list[str]:
    return [cause.kind for cause in found_in(seen)]


def test_a_state_that_could_not_be_read_is_no_evidence() -> None:
    unread = {node: NodeState(problem="no exec") for node in atlas.NODES}
    assert found_all(scene(LOST_THERE, replace(MASKED, id="E1"), before=unread, after=unread)) == []


TURNED = ask(
    hop("worker-a eth0 in", src="10.244.2.9:20000"), hop("worker-a eth0 out", src="10.244.2.9:20000")
)
THERE = "10.244.1.3"


@pytest.mark.parametrize(
    ("one", "met", "explained"),
    [
        (red(TURNED, place=at("client-b")), (), True),
        (
            red(ask(hop("worker-b eth0 in", src=FAR)), place=at("client-b"), target=to_pod("blog-1")),
            (),
            False,
        ),
        (red(ask(), place=OUTSIDE, askers=frozenset({BALANCER_IP})), (THERE,), True),
        (red(ask(), place=OUTSIDE, askers=frozenset({BALANCER_IP})), ("10.244.2.3",), False),
        (red(ask(), place=OUTSIDE), (THERE,), False),
    ],
)
def test_a_bridge_that_is_down_explains_what_needs_the_pods_behind_it(
    one: Red, met: tuple[str, ...], explained: bool
) -> None:
    down = states(worker_a=with_device("worker-a", "cbr0", up=False))
    sent = tuple(
        way(rule("-j ACCEPT", "ACCEPT"), node="worker-b", src=f"{BALANCER_IP}:41000", dst=f"{ip}:80")
        for ip in met
    )
    (cause,) = found(scene(one, after=down, passages=sent), "interface_down")
    assert (one.id in cause.explains) is explained


FLOODED = ask(hop("worker-a eth0 in"), *(hop(f"worker-a veth-{n} out", kind="pod") for n in "abc"))
DELIVERED = ask(hop("worker-a eth0 in"), hop("worker-a veth-a out", kind="pod"))


@pytest.mark.parametrize(("one", "reached"), [(FLOODED, False), (DELIVERED, True)])
def test_a_frame_that_a_bridge_floods_has_reached_nobody(one: Try, reached: bool) -> None:
    asked = red(one, place=at("client-b"), target=to_pod("frontend-1"))
    off = states(worker_a=with_device("worker-a", "veth-frontend-1", master=""))
    explaining = {cause.kind for cause in found_in(scene(asked, after=off)) if cause.explains}
    assert ("pod_silent" in explaining) is reached
    assert ("veth_off_bridge" in explaining) is not reached
