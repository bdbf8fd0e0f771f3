"""One request and its answer, followed packet by packet through the captures of all nodes.

Every packet whose payload holds the request's unique text belongs to it. Address translation keeps TCP's
numbers, so equal numbers are one connection, a leg; a proxy opens a new one, the next leg.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from scripts.ends import end_of
from scripts.evidence.pcap import Flag, Packet
from scripts.evidence.trace import Answer, Capture, Change, Hop, Interface, Kind, Start, Trace, Way

_METHOD = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT) ")
_NAMES: Mapping[Way, tuple[Change, Change]] = {
    "request": ("SNAT", "DNAT"),
    "reply": ("reverse DNAT", "reverse SNAT"),
}
"""What it is called when the source and when the destination changes on the way."""
_WIRES: tuple[Kind, ...] = ("uplink", "tunnel")
"""What leads from one node to another."""
_WINDOW = 1 << 20
"""Bytes that may lie between a request's head and its answer in one connection: a body, a 100 Continue."""
_NUMBERS = 1 << 32


@dataclass(frozen=True)
class _Sighting:
    order: int
    node: str
    interface: Interface
    direction: Literal["in", "out"]
    packet: Packet

    @property
    def src(self) -> str:
        return end_of(self.packet.src, self.packet.sport)

    @property
    def dst(self) -> str:
        return end_of(self.packet.dst, self.packet.dport)

    @property
    def port(self) -> tuple[str, int]:
        return self.node, self.packet.ifindex

    @property
    def again(self) -> tuple[object, ...]:
        """The same for a retransmission at the same interface."""
        return *self.port, self.direction, self.src, self.dst, self.packet.seq


@dataclass
class _Leg:
    request: list[_Sighting] = field(default_factory=list)
    reply: list[_Sighting] = field(default_factory=list)
    syn: list[_Sighting] = field(default_factory=list)
    retransmissions: int = 0
    flooded: list[str] = field(default_factory=list)

    def tidy(self) -> _Leg:
        """Keeps of each packet the first sighting at an interface, and no copy that a bridge flooded."""
        ways = [(self.request, self.reply), (self.reply, self.request), (self.syn, self.reply)]
        for packets, _ in ways:
            self.retransmissions += max(Counter(seen.again for seen in packets).values(), default=1) - 1
            first = {seen.again: seen for seen in reversed(packets)}
            packets[:] = sorted(first.values(), key=lambda seen: seen.order)
        for packets, back in ways:
            self._drain(packets, {seen.port for seen in back if seen.direction == "in"})
        return self

    def _drain(self, packets: list[_Sighting], answering: set[tuple[str, int]]) -> None:
        """A bridge that has forgotten a MAC sends to all Pods; the way back shows which one it was for."""
        copies: dict[tuple[str, str, str], list[_Sighting]] = {}
        for seen in packets:
            if seen.interface.kind == "pod" and seen.direction == "out":
                copies.setdefault((seen.node, seen.src, seen.dst), []).append(seen)
        for (node, _, _), same in copies.items():
            meant = [seen for seen in same if seen.port in answering]
            if len(same) > 1 and len(meant) == 1:
                packets[:] = [seen for seen in packets if seen not in same or seen in meant]
            elif len(same) > 1:
                self.flooded.append(f"{node}: one packet left to {len(same)} Pods, for which one is unclear")


def follow(captures: Sequence[Capture], nonce: str, start: Start | None = None) -> Trace:
    """The way of the request that carries ``nonce``; if none does, of the SYN that ``start`` describes.

    Raises ValueError for an empty nonce, which every packet holds.
    """
    if not nonce:
        raise ValueError("a request without a nonce cannot be distinguished from others")
    problems = [f"{capture.node}: {capture.problem}" for capture in captures if capture.problem]
    seen = _in_order(captures)
    # Bounded, so that run-1 is not found in run-10.
    marked = re.compile(rb"(?<![\w.-])" + re.escape(nonce.encode()) + rb"(?![\w.-])")
    carrying = [one for one in seen if marked.search(one.packet.payload)]
    legs = _legs(carrying, seen)
    if legs:
        problems += _doubts(legs)
        return _trace(legs, "HTTP" if any(leg.reply for leg in legs) else "", problems)
    if carrying:
        problems.append(f"{len(carrying)} packets carry the nonce, but none begins a request or an answer")
    legs = _attempts(seen, start) if start else []
    if not legs:
        wanted = f", and no SYN from {start.source} to {start.destination}:{start.port}" if start else ""
        return Trace(problem="; ".join([*problems, f"no request with the nonce {nonce} was seen{wanted}"]))
    if len(legs) > 1:
        problems.append(f"{len(legs)} connections were tried: which one was for the request is unclear")
    problems += _doubts(legs[:1], answers=False)
    answers = {_answer(leg) for leg in legs}
    if "SYN ACK" in answers:
        problems.append("the connection was accepted, but no request was seen on it")
    return _trace(legs, answers.pop() if len(answers) == 1 else "", problems)


def _in_order(captures: Iterable[Capture]) -> list[_Sighting]:
    """All nodes' packets by time; at equal times what arrives from another node comes last."""
    queues: list[list[_Sighting]] = []
    for capture in captures:
        queue = []
        for packet in sorted(capture.packets, key=lambda packet: packet.time_ns):
            at = capture.interfaces.get(packet.ifindex) or Interface(f"interface {packet.ifindex}", "other")
            # A bridge's port takes in frames to other MACs; an uplink or a bridge only overhears them.
            if packet.direction != "other" or at.kind in ("pod", "other"):
                direction: Literal["in", "out"] = "out" if packet.direction == "out" else "in"
                queue.append(_Sighting(0, capture.node, at, direction, packet))
        queues.append(queue)
    merged = heapq.merge(*queues, key=lambda seen: (seen.packet.time_ns, _arrives(seen)))
    return [
        _Sighting(order, seen.node, seen.interface, seen.direction, seen.packet)
        for order, seen in enumerate(merged)
    ]


def _arrives(seen: _Sighting) -> bool:
    return seen.direction == "in" and seen.interface.kind in _WIRES


def _legs(carrying: Iterable[_Sighting], seen: Iterable[_Sighting]) -> list[_Leg]:
    """The connections that carry the request or its answer, those without a request last."""
    requests: dict[tuple[int, int, int], _Leg] = {}
    orphans: dict[tuple[int, int], _Leg] = {}
    for one in carrying:
        packet = one.packet
        if _METHOD.match(packet.payload):
            requests.setdefault((packet.seq, packet.length, packet.ack), _Leg()).request.append(one)
    for one in carrying:
        packet = one.packet
        if not packet.payload.startswith(b"HTTP/"):
            continue
        gaps = [
            ((packet.ack - seq - length) % _NUMBERS, leg)
            for (seq, length, ack), leg in requests.items()
            if (packet.seq - ack) % _NUMBERS < _WINDOW
        ]
        gap, leg = min(gaps, key=lambda near: near[0], default=(_NUMBERS, None))
        if leg is None or gap >= _WINDOW:
            leg = orphans.setdefault((packet.seq, packet.ack), _Leg())
        leg.reply.append(one)
    opened = {(key[0] - 1) % _NUMBERS: leg for key, leg in requests.items()}
    for one in seen:
        if one.packet.seq in opened and _opens(one.packet):
            opened[one.packet.seq].syn.append(one)
    return [leg.tidy() for leg in (*requests.values(), *orphans.values())]


def _attempts(seen: Sequence[_Sighting], start: Start) -> list[_Leg]:
    """The connections that ``start`` describes and that carried no other request."""
    asked = {(one.packet.seq - 1) % _NUMBERS for one in seen if _METHOD.match(one.packet.payload)}
    legs = {
        one.packet.seq: _Leg()
        for one in seen
        if _opens(one.packet)
        and one.packet.seq not in asked
        and (one.packet.src, one.packet.dst, one.packet.dport)
        == (start.source, start.destination, start.port)
        and start.source_port in (0, one.packet.sport)
    }
    for one in seen:
        opened = legs.get(one.packet.seq)
        answered = legs.get((one.packet.ack - 1) % _NUMBERS)
        if opened and _opens(one.packet):
            opened.request.append(one)
        elif answered and one.packet.flags & Flag.ACK and one.packet.flags & (Flag.SYN | Flag.RST):
            answered.reply.append(one)
    for leg in legs.values():
        leg.reply = [one for one in leg.reply if one.packet.flags & Flag.SYN] or leg.reply
        leg.syn = leg.tidy().request
    return list(legs.values())


def _opens(packet: Packet) -> bool:
    return packet.flags & (Flag.SYN | Flag.ACK) == Flag.SYN


def _answer(leg: _Leg) -> Answer:
    if not leg.reply:
        return ""
    return "SYN ACK" if leg.reply[0].packet.flags & Flag.SYN else "RST"


def _doubts(legs: Sequence[_Leg], answers: bool = True) -> list[str]:
    """Why the hops may not be all, or not in order; ``answers`` says that each leg must have one."""
    problems = [text for leg in legs for text in dict.fromkeys(leg.flooded)]
    for number, leg in enumerate(legs, 1):
        which = f" (connection {number} of {len(legs)})" if len(legs) > 1 else ""
        if not leg.request:
            problems.append(f"a reply was seen, but not its request{which}")
        elif not leg.reply and answers:
            problems.append(f"the request was seen, but no reply{which}")
    if any(_contradicts(leg) for leg in legs):
        return [*problems, "clocks differ: the hops of different nodes may be out of order"]
    begins = Counter((*leg.request[0].port, leg.request[0].packet.src) for leg in legs if leg.request)
    rivals = max(begins.values(), default=0)
    if rivals > 1:
        problems.append(f"{rivals} connections of one origin carry the nonce: which one counts is unclear")
    elif not all(_within(inner, outer) for outer, inner in pairwise(legs)):
        problems.append("connections carry the nonce side by side: which one leads to the answer is unclear")
    return problems


def _contradicts(leg: _Leg) -> bool:
    """Whether times say that a packet arrived before it was sent, or an answer before its question."""
    for packets in (leg.request, leg.reply):
        left = [one for one in packets if one.direction == "out" and one.interface.kind in _WIRES]
        for arrival in filter(_arrives, packets):
            ends = arrival.src, arrival.dst
            sent = [one for one in left if one.node != arrival.node and (one.src, one.dst) == ends]
            # The sender's MAC is the same at both ends of one segment.
            sent = [one for one in sent if one.packet.mac == arrival.packet.mac] or sent
            if sent and min(one.order for one in sent) > arrival.order:
                return True
    return bool(leg.request and leg.reply) and leg.request[-1].order > leg.reply[0].order


def _within(inner: _Leg, outer: _Leg) -> bool:
    """Whether ``inner`` starts when ``outer``'s request has arrived, and ends before its answer starts."""
    starts = not (inner.request and outer.request) or inner.request[0].order > outer.request[-1].order
    return starts and (not (inner.reply and outer.reply) or inner.reply[-1].order < outer.reply[0].order)


def _trace(legs: Sequence[_Leg], answer: Answer, problems: Iterable[str]) -> Trace:
    zero = min(one.packet.time_ns for leg in legs for one in (*leg.request, *leg.reply))
    hops, syns = [], []
    for number, leg in enumerate(legs, 1):
        hops += [*_hops(leg.request, "request", number, zero), *_hops(leg.reply, "reply", number, zero)]
        syns += _hops(leg.syn, "request", number, zero)
    return Trace(
        tuple(hop for _, hop in sorted(hops, key=lambda one: one[0])),
        tuple(hop for _, hop in sorted(syns, key=lambda one: one[0])),
        sum(leg.retransmissions for leg in legs),
        answer,
        "; ".join(dict.fromkeys(problems)),
    )


def _hops(packets: Sequence[_Sighting], way: Way, leg: int, zero: int) -> list[tuple[int, Hop]]:
    """The hops of one packet, each with its place in the order of all."""
    hops = []
    for number, one in enumerate(packets):
        changed: list[Change] = ["new connection"] if way == "request" and leg > 1 and not number else []
        before = packets[number - 1] if number else one
        source, destination = _NAMES[way]
        changed += [destination] if one.dst != before.dst else []
        changed += [source] if one.src != before.src else []
        micros = (one.packet.time_ns - zero) // 1000
        hop = Hop(one.node, one.interface, one.direction, one.src, one.dst, way, micros, tuple(changed), leg)
        hops.append((one.order, hop))
    return hops
