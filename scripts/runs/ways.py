"""How the path of a request differs between two traces, in words.

Addresses, ports and the names of veths differ between any two runs. What is compared is the kind of each
interface, the part that its node plays ("first node", "second node", "router"), and the rewritings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from scripts.ends import ip_of
from scripts.runs.document import HopRecord, TraceRecord

ROUTER = "gateway"
"""The name under which a trace has the NAT box in front of the nodes."""
PROXY = "new connection"
"""What a hop says where a proxy opens a connection of its own."""
CHOICES = {"DNAT", PROXY}
"""Where a Service or a load balancer chooses who answers."""
SAME, OTHER, LEAVING, ENTERING = "same node", "other node", "out of the cluster", "into the cluster"
ORDINALS = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class WayDifference:
    """One difference in words; ``about`` is the same for what differs on the way there and back.

    ``chosen``: a Service or a load balancer has chosen another Pod or node; the network may be the same.
    """

    words: str
    about: str
    chosen: bool = False


@dataclass(frozen=True)
class _Way:
    """The hops of one direction, and the part that each of their nodes plays."""

    hops: Sequence[HopRecord]
    parts: Mapping[str, str]

    def part(self, hop: HopRecord) -> str:
        return self.parts.get(hop.node, hop.node)

    def first(self, count: int) -> _Way:
        return replace(self, hops=self.hops[:count])

    @property
    def order(self) -> list[str]:
        """The parts that are passed, one after the other."""
        return [part for part, _ in groupby(map(self.part, self.hops))]

    def where(self, hop: HopRecord) -> str:
        name = "the Pod's veth" if hop.kind == "pod" else hop.interface
        return f"{name} of the {self.part(hop)}"


def differences(before: TraceRecord, after: TraceRecord) -> list[WayDifference]:
    """What differs there and back; empty if it is the same path, whatever its addresses.

    A trace that was answered and may still be incomplete is not compared.
    """
    traces = before, after
    if any(trace.problem and _answered(trace) for trace in traces):
        return []
    old, new = map(_requested, traces)
    shapes = _shape(old), _shape(new)
    if all(map(_answered, traces)):
        found = _compared(old, new)
        about = {one.about for one in found}
        back = _compared(_replied(before, old), _replied(after, new))
        found += [
            replace(one, words=f"only the answer: {one.words}") for one in back if one.about not in about
        ]
        if shapes[0] != shapes[1]:
            changed = WayDifference(f"{shapes[0]} → {shapes[1]}", "shape", _chosen(old, new))
            rest = [one for one in found if one.about != "nodes"]
            return [changed, *(replace(one, chosen=changed.chosen) for one in rest)]
    else:
        known = min(len(old.hops), len(new.hops))
        found = [*_answers(before, after, new), *_compared(old.first(known), new.first(known))]
    shape = shapes[0] if _answered(before) or not _answered(after) else shapes[1]
    return [replace(one, words=f"{shape}: {one.words}") for one in found]


def _answered(trace: TraceRecord) -> bool:
    return trace.answer == "HTTP"


def _requested(trace: TraceRecord) -> _Way:
    """The request's hops; of a connection that was tried again, only those of the first attempt."""
    hops = [hop for hop in trace.hops if hop.way == "request"]
    begins = {hop.leg: (hop.node, hop.interface, _address(hop.source)) for hop in reversed(hops)}
    firsts = {begin: leg for leg, begin in sorted(begins.items(), reverse=True)}
    hops = [hop for hop in hops if hop.leg in firsts.values()]
    nodes = [*dict.fromkeys(hop.node for hop in hops if hop.node != ROUTER)]
    ordinals = [f"{word} node" for word in ORDINALS] if len(nodes) > 1 else ["node"]
    return _Way(hops, {ROUTER: "router", **dict(zip(nodes, ordinals, strict=False))})


def _replied(trace: TraceRecord, requested: _Way) -> _Way:
    return _Way([hop for hop in trace.hops if hop.way == "reply"], requested.parts)


def _address(end: str) -> str:
    return ip_of(end)


def _shape(way: _Way) -> str:
    if not way.hops:
        return OTHER
    begin, end = way.hops[0], way.hops[-1]
    if begin.kind != "pod" and begin.direction == "in":
        return ENTERING
    if end.kind != "pod" and end.direction == "out":
        return LEAVING
    return SAME if len({hop.node for hop in way.hops}) == 1 else OTHER


def _chosen(*ways: _Way) -> bool:
    return all(any(CHOICES & {*hop.changed} for hop in way.hops) for way in ways)


def _answers(before: TraceRecord, after: TraceRecord, new: _Way) -> list[WayDifference]:
    """What came back, where that has changed."""
    if before.answer == after.answer:
        return []
    if _answered(after):
        return [WayDifference("answered again", "answer")]
    words = {"RST": "refused (RST)", "SYN ACK": "accepted, but no request followed"}.get(
        after.answer, "no answer any more"
    )
    last = new.hops[-1] if new.hops else None
    if last is None:
        return [WayDifference(f"{words}; nothing of it was seen", "answer")]
    seen = "coming in" if last.direction == "in" else "going out"
    return [WayDifference(f"{words}; the request was last seen {seen} at {new.where(last)}", "answer")]


def _compared(old: _Way, new: _Way) -> list[WayDifference]:
    """What differs in the nodes, the bridges, the interfaces and the rewritings of one direction."""
    if old.order != new.order:
        by = _nodes(old, new)
        return [by, *(replace(one, chosen=by.chosen) for one in _rewritings(old, new))]
    return [*_bridges(old, new), *_interfaces(old, new), *_rewritings(old, new)]


def _nodes(old: _Way, new: _Way) -> WayDifference:
    routers = ["router" in way.order for way in (old, new)]
    if routers[0] != routers[1]:
        return WayDifference("through the router" if routers[1] else "no longer through the router", "nodes")
    more = len({*new.order}) - len({*old.order})
    words = f"{_many(abs(more), 'node')} {'more' if more > 0 else 'fewer'}" if more else "by other nodes"
    return WayDifference(words, "nodes", _chosen(old, new))


def _bridges(old: _Way, new: _Way) -> list[WayDifference]:
    """How Pods are joined to their nodes: by a bridge, or each by a route of its own (ptp)."""
    pairs = zip(_joins(old), _joins(new), strict=False)
    changed = dict.fromkeys((a, b) for a, b in pairs if a and b and a != b)
    return [WayDifference(f"{a} → {b}", f"bridge {a} → {b}") for a, b in changed]


def _joins(way: _Way) -> list[str]:
    """For each node that is passed, how the Pod there is joined to it; empty where that cannot be seen."""
    found = []
    for _, group in groupby(way.hops, way.part):
        hops = [*group]
        pods = [hop for hop in hops if hop.kind == "pod"]
        bridges = [hop.interface for hop in hops if hop.kind == "bridge"]
        if bridges:
            found.append(f"bridge {bridges[0]}")
        elif len(hops) == 1 or not pods:
            found.append("")
        elif len(pods) < len(hops):
            found.append("ptp")
        else:  # from a veth to another: a bridge passes frames on without being seen itself
            of = {hop.bridge for hop in pods}
            found.append(_port(of.pop()) if len(of) == 1 else "ptp")
    return found


def _port(bridge: str | None) -> str:
    return "" if bridge is None else f"bridge {bridge}" if bridge else "ptp"


def _interfaces(old: _Way, new: _Way) -> list[WayDifference]:
    """Interfaces more or fewer, other than veths and bridges."""
    gone, come = _passed(old) - _passed(new), _passed(new) - _passed(old)
    if gone and come:
        names = (" and ".join(dict.fromkeys(name for name, _ in each)) for each in (gone, come))
        return [WayDifference(" → ".join(names), "hops")]
    found = []
    for passed, word in ((come, "more"), (gone, "fewer")):
        if passed:
            told = ", ".join(dict.fromkeys(f"{name} of the {part}" for name, part in passed.elements()))
            found.append(WayDifference(f"{_many(passed.total(), 'hop')} {word}: {told}", f"hops {word}"))
    return found


def _passed(way: _Way) -> Counter[tuple[str, str]]:
    """How often each interface is passed, by its name and the part of its node.

    Nodes name their uplinks as they like, so a node's own is only told as that.
    """
    hops = [hop for hop in way.hops if hop.kind not in ("pod", "bridge")]
    names = {hop.interface: "the node's interface" for hop in hops if hop.kind == "uplink"}
    return Counter((names.get(hop.interface, hop.interface), way.part(hop)) for hop in hops)


def _rewritings(old: _Way, new: _Way) -> list[WayDifference]:
    """Address translations and proxies that appeared, went or moved."""
    before, after = _changes(old), _changes(new)
    gone, come = _names(before) - _names(after), _names(after) - _names(before)
    found = [_rewriting(name, after, "appeared", " at") for name in come]
    found += [_rewriting(name, before, "gone", ", before at") for name in gone]
    if old.order == new.order and not gone and not come:
        pairs = zip(sorted(before), sorted(after), strict=True)
        found += [
            WayDifference(f"NAT moved: {name}, {where} → {now}", f"NAT {_plain(name)}")
            for (name, part, where), (_, other, now) in pairs
            if part != other
        ]
    return found


def _rewriting(name: str, changes: Iterable[tuple[str, str, str]], word: str, at: str) -> WayDifference:
    places = " and ".join(dict.fromkeys(where for each, _, where in changes if each == name))
    what = f"proxy {word}: a connection of its own" if name == PROXY else f"NAT {word}: {name}"
    return WayDifference(f"{what}{at} {places}", f"NAT {_plain(name)}")


def _changes(way: _Way) -> list[tuple[str, str, str]]:
    """What was rewritten: the name, the part of the node, and where in words."""
    return [(name, way.part(hop), way.where(hop)) for hop in way.hops for name in hop.changed]


def _names(changes: Iterable[tuple[str, str, str]]) -> Counter[str]:
    return Counter(name for name, _, _ in changes)


def _plain(name: str) -> str:
    return name.removeprefix("reverse ")


def _many(count: int, what: str) -> str:
    return f"one {what}" if count == 1 else f"{count} {what}s"
