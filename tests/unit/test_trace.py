from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence.following import follow
from scripts.evidence.pcap import Direction, Flag, Packet, read
from scripts.evidence.trace import Capture, Interface, Start, Trace

# Recorded in network namespaces: nodes "a" and "b" with a bridge cbr0 each and bridge-nf-call-iptables,
# joined by a third bridge; Pods 10.50.1.2 (client), .3 (backend), .4 on a and 10.50.2.2 on b; "out" and
# "lb" are hosts beside them, lb an HTTP proxy to the node port 30080 of a. DNAT and MASQUERADE by iptables.
SAMPLES = Path(__file__).parent / "samples"
NONCE = "run7-demo-01"
PODS = {"a": {111: "client", 112: "backend", 113: "bystander"}, "b": {111: "remote"}}
OTHERS = {1: Interface("lo", "other"), 2: Interface("eth0", "uplink"), 103: Interface("cbr0", "bridge")}
Packets = tuple[Packet, ...]


def packets(sample: str) -> Packets:
    return read((SAMPLES / f"{sample}.pcap").read_bytes())[0]


def altered(seen: Iterable[Packet], by: Callable[[Packet], dict[str, Any]]) -> Packets:
    return tuple(replace(p, **by(p)) for p in seen)


def later(seen: Iterable[Packet], nanoseconds: int) -> Packets:
    return altered(seen, lambda p: {"time_ns": p.time_ns + nanoseconds})


def capture(node: str, seen: Sequence[Packet], problem: str = "") -> Capture:
    pods = {at: Interface(f"veth-{label}", "pod", label) for at, label in PODS.get(node, {}).items()}
    return Capture(node, seen, {**OTHERS, **pods}, problem)


def captures(sample: str, *nodes: str) -> list[Capture]:
    """One capture a node; of a lone node the file is called as the sample."""
    return [capture(node, packets(f"{sample}-{node}" if nodes[1:] else sample)) for node in nodes]


SAME_NODE = packets("same-node")


def shown(trace: Trace, way: str) -> list[str]:
    """Each hop without its time and ports."""
    return [
        " ".join([hop.node, hop.interface.name, hop.direction, *hop.changed])
        for hop in trace.hops
        if hop.way == way
    ]


def test_same_node_never_meets_the_uplink_nor_the_bridge_device() -> None:
    trace = follow(captures("same-node", "a"), NONCE)
    assert shown(trace, "request") == ["a veth-client in", "a veth-backend out"]
    assert shown(trace, "reply") == ["a veth-backend in", "a veth-client out"]
    assert trace.hops_at(kind="uplink") == () and trace.hops_at(kind="bridge") == ()
    assert trace.problem == "" and trace.answered and trace.answer == "HTTP"
    (leg,) = trace.legs
    assert leg.same_way and leg.number == 1 and leg.request + leg.reply == trace.hops
    assert [hop.micros for hop in trace.hops] == [0, 8, 299, 305]
    assert all(hop.micros < 0 for hop in trace.syn_hops) and len(trace.syn_hops) == 2
    assert follow([capture("a", SAME_NODE[::-1])], NONCE) == trace, "the file's order matters"
    told = "      8 µs  request  a veth-backend out (backend): 10.50.1.2:58150 → 10.50.1.3:8080"
    assert str(trace.hops[1]) == told


def test_cross_node_goes_through_bridge_and_uplink_of_both_nodes() -> None:
    trace = follow(captures("cross-node", "b", "a"), NONCE)
    there = ["a veth-client in", "a cbr0 in", "a eth0 out", "b eth0 in", "b cbr0 out", "b veth-remote out"]
    assert shown(trace, "request") == there
    assert shown(trace, "reply") == [
        "b veth-remote in", "b cbr0 in", "b eth0 out", "a eth0 in", "a cbr0 out", "a veth-client out",
    ]  # fmt: skip
    assert trace.problem == "" and trace.legs[0].same_way
    left = [hop.interface.name for hop in trace.hops_at(node="b", way="request", direction="out")]
    assert left == ["cbr0", "veth-remote"]


def test_dnat_shows_behind_the_veth_and_is_undone_on_the_way_back() -> None:
    trace = follow(captures("dnat", "a", "b"), NONCE)
    (translated,) = trace.hops_at(changed="DNAT")
    assert (translated.interface.name, translated.dst) == ("cbr0", "10.50.2.2:8080")
    assert trace.hops[0].dst == "10.96.0.10:80"
    (back,) = trace.hops_at(changed="reverse DNAT")
    assert (back.node, back.interface.name, back.src) == ("a", "cbr0", "10.96.0.10:80")
    assert not trace.hops_at(changed="SNAT") and not trace.hops_at(changed="reverse SNAT")
    assert trace.legs[0].same_way and trace.problem == ""


@pytest.mark.parametrize(("sample", "back"), [("dnat-same-node", "backend"), ("hairpin", "client")])
def test_dnat_to_the_same_node_stays_below_the_bridge_device(sample: str, back: str) -> None:
    """Back to the very same Pod it is two hops at one interface, and only masquerading lets it be."""
    trace = follow(captures(sample, "a"), NONCE)
    source = {"backend": "", "client": " SNAT"}[back]
    reverse = {"backend": "", "client": " reverse SNAT"}[back]
    assert shown(trace, "request") == ["a veth-client in", f"a veth-{back} out DNAT{source}"]
    assert shown(trace, "reply") == [f"a veth-{back} in", f"a veth-client out{reverse} reverse DNAT"]
    assert trace.retransmissions == 0 and trace.problem == ""


def test_snat_shows_at_the_uplink_only() -> None:
    trace = follow(captures("snat", "a", "out"), NONCE)
    assert shown(trace, "request") == ["a veth-client in", "a cbr0 in", "a eth0 out SNAT", "out eth0 in"]
    (translated,) = trace.hops_at(changed="SNAT")
    assert translated.src.startswith("172.30.0.11:") and translated.src != "172.30.0.11:49204"
    assert [hop.dst for hop in trace.hops_at(changed="reverse SNAT")] == ["10.50.1.2:49204"]


@pytest.mark.parametrize(("end", "there"), [("sport", "SNAT"), ("dport", "DNAT")])
def test_a_port_alone_is_a_translation_too(end: str, there: str) -> None:
    """The backend's side sees another port than the client's."""
    other = {"sport": "dport", "dport": "sport"}[end]
    seen = altered(SAME_NODE, lambda p: {end if p.dport == 8080 else other: 4} if p.ifindex == 112 else {})
    trace = follow([capture("a", seen)], NONCE)
    assert [hop.changed for hop in trace.hops] == [(), (there,), (), (f"reverse {there}",)]


def test_a_proxy_opens_the_next_leg() -> None:
    trace = follow(captures("proxy", "a", "b", "lb"), NONCE)
    first, second = trace.legs
    assert [hop.node for hop in first.request + first.reply] == ["lb", "lb"]
    assert second.request[0].changed == ("new connection",) and second.request[0].node == "lb"
    assert [hop.changed for hop in second.request[1:3]] == [(), ("DNAT", "SNAT")]
    assert second.request[-1].interface.label == second.reply[0].interface.label == "remote"
    assert trace.hops == first.request + second.request + second.reply + first.reply
    assert first.same_way and second.same_way and trace.problem == ""
    assert trace.hops_at(changed="new connection", way="reply") == ()


def test_a_handshake_that_is_missing_or_went_another_way_is_told() -> None:
    without = follow([capture("a", [p for p in SAME_NODE if not p.flags & Flag.SYN])], NONCE)
    assert without.problem == "" and without.syn_hops == () and not without.legs[0].same_way
    other = follow(
        [capture("a", [SAME_NODE[0], replace(SAME_NODE[1], dst="10.50.1.4"), *SAME_NODE[2:]])], NONCE
    )
    assert other.problem == "" and len(other.syn_hops) == 2 and not other.legs[0].same_way


@pytest.mark.parametrize("first", [0, 2**32 - 1])
def test_sequence_numbers_may_wrap(first: int) -> None:
    """Behind the SYN or in the request itself."""
    zero = next(p.seq for p in SAME_NODE if p.payload) - first
    turned = altered(
        SAME_NODE,
        lambda p: {"seq": (p.seq - zero) % 2**32} if p.dport == 8080 else {"ack": (p.ack - zero) % 2**32},
    )
    trace = follow([capture("a", turned)], NONCE)
    assert trace.problem == "" and trace.legs[0].same_way and len(trace.hops) == 4


def test_the_nonce_is_not_a_part_of_another() -> None:
    seen = captures("same-node", "a")
    for other in ("run7-demo-0", "un7-demo-01", "demo-01", "run7-demo-011"):
        assert follow(seen, other).hops == ()
    with pytest.raises(ValueError, match="without a nonce"):
        follow(seen, "")


def test_refused_shows_the_syn_and_its_rst() -> None:
    trace = follow(captures("refused", "a"), NONCE, Start("10.50.1.2", "10.96.0.13", 80))
    assert shown(trace, "request") == ["a veth-client in", "a veth-backend out DNAT"]
    assert shown(trace, "reply") == ["a veth-backend in", "a veth-client out reverse DNAT"]
    assert trace.answer == "RST" and trace.answered and trace.problem == ""
    assert [hop.place for hop in trace.syn_hops] == [hop.place for hop in trace.legs[0].request]


def test_a_blackhole_shows_how_far_the_syn_came() -> None:
    trace = follow(captures("blackhole", "a"), NONCE, Start("10.50.1.2", "10.50.2.2", 8080))
    assert shown(trace, "request") == ["a veth-client in", "a cbr0 in"]
    assert not trace.answered and trace.problem == "" and trace.retransmissions == 1
    assert trace.hops[-1].micros == 31


def test_without_bridge_filtering_the_answer_has_the_wrong_sender() -> None:
    """bridge-nf-call-iptables=0: the SYN's answer meets no reverse DNAT, so the client resets it."""
    trace = follow(captures("unfiltered", "a"), NONCE, Start("10.50.1.2", "10.96.0.11", 80))
    assert trace.hops_at(changed="DNAT") and not trace.hops_at(changed="reverse DNAT")
    assert trace.answer == "SYN ACK" and len(trace.hops_at(way="reply")) == 2
    assert trace.problem == "the connection was accepted, but no request was seen on it"


def test_nothing_is_found_of_what_was_not_sent() -> None:
    seen = captures("refused", "a")
    assert follow(seen, NONCE).problem == f"no request with the nonce {NONCE} was seen"
    for source, address, port in [("3", "13", 80), ("2", "12", 80), ("2", "13", 81)]:
        start = Start(f"10.50.1.{source}", f"10.96.0.{address}", port)
        trace = follow(seen, NONCE, start)
        assert trace.hops == () and not trace.answered
        assert trace.problem.endswith(f"and no SYN from {start.source} to {start.destination}:{start.port}")


def test_of_several_answers_to_a_syn_the_first_kind_counts() -> None:
    seen = packets("unfiltered")
    accepted = [p for p in seen if p.flags == Flag.SYN | Flag.ACK]
    resets = altered(later(accepted, 10**6), lambda p: {"flags": Flag.RST | Flag.ACK, "seq": 0})
    start = Start("10.50.1.2", "10.96.0.11", 80)
    trace = follow([capture("a", seen + resets)], NONCE, start)
    assert trace.answer == "SYN ACK" and len(trace.hops_at(way="reply")) == len(accepted) == 2
    acknowledged = altered(accepted, lambda p: {"flags": Flag.ACK})
    others = tuple(p for p in seen if p not in accepted)
    assert not follow([capture("a", others + acknowledged)], NONCE, start).answered


def test_neither_another_requests_syn_nor_an_answer_to_a_syn_is_taken() -> None:
    trace = follow(captures("same-node", "a"), "other", Start("10.50.1.2", "10.50.1.3", 8080))
    assert trace.hops == () and "no SYN from 10.50.1.2" in trace.problem
    assert not follow(captures("unfiltered", "a"), NONCE, Start("10.50.1.3", "10.50.1.2", 40160)).hops


def test_several_attempts_are_unclear() -> None:
    seen = packets("blackhole")
    again = altered(later(seen, 10**9), lambda p: {"seq": p.seq + 9, "sport": 4})
    trace = follow([capture("a", seen + again)], NONCE, Start("10.50.1.2", "10.50.2.2", 8080))
    assert trace.problem == "2 connections were tried: which one was for the request is unclear"
    assert len(trace.legs) == 2


def test_retransmissions_are_counted_and_no_hops() -> None:
    again = later((p for p in SAME_NODE if p.payload.startswith(b"GET")), 50_000)
    trace = follow([capture("a", SAME_NODE + again)], NONCE)
    assert trace.retransmissions == 1 and trace.problem == ""
    assert trace.hops == follow([capture("a", SAME_NODE)], NONCE).hops


def test_a_flooded_syn_counts_where_it_was_answered_or_is_unclear() -> None:
    """The bridge had forgotten the backend's MAC: it sent the SYN to all three Pods."""
    seen = packets("flooded")
    assert {p.ifindex for p in seen if p.flags == Flag.SYN} == {2, 103, 111, 112, 113}
    trace = follow([capture("a", seen)], NONCE)
    assert trace.legs[0].same_way and trace.problem == "" and len(trace.hops) == 6
    syns = [p for p in seen if p.flags == Flag.SYN]
    trace = follow([capture("a", syns)], NONCE, Start("10.50.2.2", "10.50.1.3", 8080))
    assert trace.problem == "a: one packet left to 3 Pods, for which one is unclear"
    assert len(trace.hops) == 5


def test_an_uplink_overhears_frames_and_a_lost_interface_keeps_its_number() -> None:
    overheard = altered(SAME_NODE, lambda p: {"ifindex": 2, "direction": "other"} if p.ifindex == 111 else {})
    trace = follow(
        [capture("a", altered(overheard, lambda p: {"ifindex": 7} if p.ifindex == 112 else {}))], NONCE
    )
    assert {hop.interface for hop in trace.hops} == {Interface("interface 7", "other")}


def test_equal_times_are_put_in_order_by_who_sends() -> None:
    """Microseconds are too coarse to tell when a packet left one node and when it came to the next."""
    exact = follow(captures("cross-node", "a", "b"), NONCE)
    for nodes in (("a", "b"), ("b", "a")):
        coarse = [
            replace(c, packets=altered(c.packets, lambda p: {"time_ns": p.time_ns // 10**5 * 10**5}))
            for c in captures("cross-node", *nodes)
        ]
        trace = follow(coarse, NONCE)
        assert [hop.place for hop in trace.hops] == [hop.place for hop in exact.hops] and not trace.problem


def lone(start: bytes) -> list[Capture]:
    """Of all payloads only those that start so."""
    return [capture("a", [p for p in SAME_NODE if not p.payload or p.payload.startswith(start)])]


def at(sample: str, node: str) -> list[Capture]:
    """As if nothing had been captured elsewhere."""
    return [c if c.node == node else capture(c.node, []) for c in captures(sample, "a", "b", "lb")]


def skewed(sample: str, nodes: str, node: str, nanoseconds: int) -> list[Capture]:
    """The captures with one node's clock set forward."""
    seen = captures(sample, *nodes.split())
    return [capture(c.node, later(c.packets, nanoseconds if c.node == node else 0)) for c in seen]


UNSURE = "clocks differ: the hops of different nodes may be out of order"
RIVALS = "2 connections of one origin carry the nonce: which one counts is unclear"
ASIDE = "connections carry the nonce side by side: which one leads to the answer is unclear"
# Two nodes' clocks differ, and no uplink was seen.
BARE = [
    replace(c, packets=[p for p in c.packets if p.ifindex != 2])
    for c in skewed("cross-node", "a b", "b", -(10**7))
]
BODIES = altered(SAME_NODE, lambda p: {"payload": b"?" + p.payload})
MARKED = "4 packets carry the nonce, but none begins a request or an answer"


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        ([capture("a", SAME_NODE, "2 packets lost")], "a: 2 packets lost"),
        (lone(b"GET"), "the request was seen, but no reply"),
        (lone(b"HTTP/"), "a reply was seen, but not its request"),
        ([capture("a", BODIES)], f"{MARKED}; no request with the nonce {NONCE} was seen"),
        (captures("twice", "a"), RIVALS),
        ([capture("a", SAME_NODE + packets("flooded"))], ASIDE),
        (at("proxy", "lb"), ""),
        (skewed("cross-node", "a b", "a", 5_000), UNSURE),
        (skewed("cross-node", "a b", "b", 20_000), UNSURE),
        (skewed("cross-node", "a b", "b", -10_000_000), UNSURE),
        (skewed("cross-node", "a b", "a", 1_000), ""),
        (skewed("proxy", "a b lb", "lb", 3_000_000), UNSURE),
        (BARE, UNSURE),
    ],
)
def test_why_a_trace_may_be_incomplete(seen: list[Capture], problem: str) -> None:
    assert follow(seen, NONCE).problem == problem


def test_one_request_starts_while_another_is_on_its_way() -> None:
    """Another Pod's request leaves before the first has arrived, so it cannot follow from it."""
    numbers = altered(SAME_NODE, lambda p: {"seq": (p.seq + 2**31) % 2**32, "ack": (p.ack + 2**31) % 2**32})
    moved = altered(numbers, lambda p: {"src" if p.dport == 8080 else "dst": "10.50.1.4"})
    middle = later((p for p in moved if p.dport == 8080), 4_000)
    middle += later((p for p in moved if p.sport == 8080), -100_000)
    middle = altered(middle, lambda p: {"ifindex": 113 if p.ifindex == 111 else 112})
    assert follow([capture("a", SAME_NODE + middle)], NONCE).problem == ASIDE


@pytest.mark.parametrize(("number", "by"), [("seq", 2**20), ("ack", 2**20), ("seq", -1), ("ack", -1)])
def test_a_reply_with_other_numbers_is_of_another_connection(number: str, by: int) -> None:
    seen = altered(
        SAME_NODE,
        lambda p: {number: (getattr(p, number) + by) % 2**32} if p.payload[:5] == b"HTTP/" else {},
    )
    trace = follow([capture("a", seen)], NONCE)
    assert trace.problem.startswith("the request was seen, but no reply (connection 1 of 2)")
    assert "a reply was seen, but not its request (connection 2 of 2)" in trace.problem
    assert not trace.legs[1].same_way


def test_two_requests_in_one_connection_have_each_its_reply() -> None:
    head = [p for p in SAME_NODE if p.payload.startswith((b"GET", b"HTTP/"))]
    there, _, back, _ = (p.length for p in head)
    steps = {True: {"seq": there, "ack": back}, False: {"seq": back, "ack": there}}
    again = altered(
        later(head, 10**6),
        lambda p: {name: getattr(p, name) + step for name, step in steps[p.dport == 8080].items()},
    )
    trace = follow([capture("a", SAME_NODE + again)], NONCE)
    assert [len(leg.reply) for leg in trace.legs] == [2, 2] and trace.retransmissions == 0
    assert trace.problem == RIVALS


def test_a_leg_without_an_answer_is_named() -> None:
    def outer(p: Packet) -> bool:
        return p.sport == 80 or not p.payload.startswith(b"HTTP/")

    seen = [capture(c.node, [*filter(outer, c.packets)]) for c in captures("proxy", "a", "b", "lb")]
    trace = follow(seen, NONCE)
    assert trace.problem == "the request was seen, but no reply (connection 2 of 2)" and trace.answered


def test_a_segment_is_told_by_its_senders_mac() -> None:
    """b forwards to c with the same addresses; only the MAC says that c heard b and not a."""
    up = {2: Interface("eth0", "uplink")}
    request = next(p for p in SAME_NODE if p.payload.startswith(b"GET"))

    def one(time: int, direction: Direction, mac: str, src: str = "10.0.0.1") -> Packet:
        return replace(request, ifindex=2, time_ns=time, direction=direction, mac=mac, src=src)

    chain = [
        Capture("a", [one(1, "out", "aa")], up),
        Capture("b", [one(2, "in", "aa"), one(4, "out", "bb")], up),
    ]
    assert UNSURE not in follow([*chain, Capture("c", [one(5, "in", "bb")], up)], NONCE).problem
    assert UNSURE in follow([*chain, Capture("c", [one(3, "in", "bb")], up)], NONCE).problem
    # A router without any capture before it, and one behind it that translates.
    assert UNSURE not in follow(chain[1:], NONCE).problem
    translating = Capture("c", [one(5, "in", "bb"), one(6, "out", "cc", "10.0.0.9")], up)
    assert UNSURE not in follow([chain[1], translating], NONCE).problem


TIME, IFINDEX, LENGTH = st.integers(0, 5), st.integers(1, 3), st.integers(0, 3)
DIRECTION, MAC = st.sampled_from(["in", "out", "other"]), st.sampled_from(["aa", "bb"])
ADDRESS, PORT = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), st.sampled_from([1, 80])
NUMBER, FLAGS = st.sampled_from([0, 1, 2, 2**32 - 2, 2**32 - 1]), st.integers(0, 31).map(Flag)
PAYLOAD = st.sampled_from([b"", b"GET / n", b"HTTP/1.1 200 n", b"n", b"GET /"])
PACKET = st.builds(
    *(Packet, TIME, IFINDEX, DIRECTION, MAC, ADDRESS, PORT, ADDRESS, PORT, NUMBER, NUMBER, FLAGS),
    *(PAYLOAD, LENGTH),
)
KINDS = {1: Interface("veth", "pod", "x"), 2: Interface("eth0", "uplink")}


@given(st.lists(st.lists(PACKET, max_size=8), max_size=3), st.booleans())
def test_any_packets_make_a_trace(seen: list[list[Packet]], begun: bool) -> None:
    nodes = [Capture(str(number), found, KINDS) for number, found in enumerate(seen)]
    trace = follow(nodes, "n", Start("10.0.0.1", "10.0.0.2", 80) if begun else None)
    of_legs = [str(hop) for leg in trace.legs for hop in leg.request + leg.reply]
    assert sorted(of_legs) == sorted(map(str, trace.hops))
    assert trace.hops or trace.problem
    for node in {hop.node for hop in trace.hops}:
        times = [hop.micros for hop in trace.hops_at(node=node)]
        assert times == sorted(times)
