"""The way of one packet as a report draws it: stations in order, there and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from scripts.checks.verdict import Verdict
from scripts.reporting.facts import dropped
from scripts.runs.document import HopRecord, ProbeRecord, RuleRecord, TraceRecord
from scripts.runs.metrules import decisions

Way = Literal["request", "reply"]


class Lane(StrEnum):
    """A lane of the drawing; from the outside to the Pods."""

    OUTSIDE = "outside"
    ROUTER = "router"
    BALANCER = "load balancer"
    UPLINK = "uplink"
    TUNNEL = "tunnel"
    NETFILTER = "netfilter"
    BRIDGE = "bridge"
    VETH = "veth"
    POD = "Pod"


LANES = {
    "pod": Lane.VETH,
    "bridge": Lane.BRIDGE,
    "uplink": Lane.UPLINK,
    "tunnel": Lane.TUNNEL,
    "other": Lane.TUNNEL,
}
"""By the kind of a hop's interface."""


@dataclass(frozen=True)
class Station:
    """The packet where it was seen: at an interface, or by one of the receipt's views.

    ``node`` is empty outside the cluster's nodes. ``source`` and ``destination`` are "ip:port" as carried
    there. ``time`` is in words. ``owner`` is the Pod or host at the other end of the interface. ``bridge``
    is the bridge that it is a port of, as a HopRecord says it.
    """

    lane: Lane
    node: str
    name: str
    way: Way
    source: str = ""
    destination: str = ""
    direction: str = ""
    time: str = ""
    owner: str = ""
    bridge: str | None = ""
    leg: int = 1
    changed: tuple[str, ...] = ()
    rules: tuple[RuleRecord, ...] = ()

    @property
    def decisions(self) -> list[tuple[RuleRecord, str]]:
        """The rules that decided, each with its line; the same decision for several packets once."""
        lines = {line: (rule, line) for rule, line in decisions(self.rules)}
        return [*lines.values()]


@dataclass(frozen=True)
class Beside:
    """A Pod that is not on the way, and what happened there, in few words."""

    node: str
    name: str
    told: str


@dataclass(frozen=True)
class Path:
    """All stations of one packet. ``captured``: they are hops; else they are what the four views saw.

    ``stopped`` says why the packet ended at its last station, or is empty. ``names`` are the owners of
    addresses; ``notes`` are sentences for the reader; ``ended`` are the rules that ended it.
    ``beside`` are Pods that it did not pass.
    """

    stations: tuple[Station, ...] = ()
    captured: bool = False
    stopped: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ended: tuple[RuleRecord, ...] = ()
    beside: tuple[Beside, ...] = ()
    expected: bool = False
    """It had to end there: the probe passed."""

    @property
    def nodes(self) -> list[str]:
        """The nodes on the way, in order."""
        return list(dict.fromkeys(station.node for station in self.stations if station.node))


def captured_path(probe: ProbeRecord, nodes: Sequence[str], cause: str) -> Path | None:
    """The hops of a probe, those of its replay if it is red; None if nothing of it was captured.

    ``nodes`` are the cluster's nodes; ``cause`` explains the probe, or is empty.
    """
    red = probe.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)
    replay = probe.receipt.replay
    again = replay.trace if red and replay else None
    trace = again if again and again.hops else probe.receipt.trace
    if trace is None or not trace.hops:
        return None
    notes = []
    if replay and red:
        notes.append(f"{replay.last[:1].upper()}{replay.last[1:].rstrip('.')}.")
        if told := dropped(replay):
            notes.append(f"The kernel dropped {told}.")
        if trace is again:
            notes.append("Drawn as it was when this probe was asked once more.")
        if replay.passes:
            notes.append("Asked once more, it passed: the first request was lost rather than blocked.")
    stopped = stop_of(trace, cause or (probe.why or "")) if red else ""
    return path_of(trace, nodes, stopped, notes, replay.ended if replay and red else ())


def path_of(
    trace: TraceRecord,
    nodes: Sequence[str],
    stopped: str = "",
    notes: Sequence[str] = (),
    ended: Sequence[RuleRecord] = (),
) -> Path:
    """The way of a trace."""
    told = [*notes]
    if trace.problem:
        told.append(f"The trace may be incomplete: {trace.problem}.")
    if trace.retransmissions:
        told.append(f"{trace.retransmissions} packets were sent again.")
    stations = tuple(_station(hop, nodes) for hop in trace.hops)
    return Path(stations, True, stopped, trace.met, tuple(told), tuple(ended))


def stop_of(trace: TraceRecord, why: str) -> str:
    """Why the packet of a red probe ended where it was last seen; empty if its answer came back."""
    way = "answer" if any(hop.way == "reply" for hop in trace.hops) else "request"
    first, last = trace.hops[0], trace.hops[-1]
    if way == "answer" and (first.node, first.interface) == (last.node, last.interface):
        return ""
    return why or f"The {way} was seen nowhere after this."


def _station(hop: HopRecord, nodes: Sequence[str]) -> Station:
    on_node = hop.node in nodes
    return Station(
        lane=LANES.get(hop.kind, Lane.TUNNEL) if on_node else Lane.ROUTER,
        node=hop.node if on_node else "",
        name=hop.interface,
        way=hop.way,
        source=hop.source,
        destination=hop.destination,
        direction=hop.direction,
        time=duration(hop.micros),
        owner=hop.label,
        bridge=hop.bridge,
        leg=hop.leg,
        changed=tuple(hop.changed),
        rules=tuple(hop.rules),
    )


def duration(micros: int) -> str:
    """A time since the first hop, in words."""
    if abs(micros) < 10_000:
        return f"{micros:,} µs".replace(",", " ")
    return f"{micros / 1000:.1f} ms"
