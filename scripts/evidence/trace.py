"""What was seen of one request: its hops, its connections, and what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scripts.evidence.pcap import Packet

Kind = Literal["pod", "bridge", "uplink", "tunnel", "other"]
Way = Literal["request", "reply"]
Change = Literal["DNAT", "SNAT", "reverse DNAT", "reverse SNAT", "new connection"]
Answer = Literal["", "HTTP", "SYN ACK", "RST"]


@dataclass(frozen=True)
class Interface:
    """An interface of a node. ``label`` says what is at its other end, such as a Pod's name.

    ``bridge`` is the bridge that it is a port of, empty if it is a port of none.
    """

    name: str
    kind: Kind
    label: str = ""
    bridge: str = ""


@dataclass(frozen=True)
class Capture:
    """One node's packets and interfaces by index. ``problem`` says why packets may be missing."""

    node: str
    packets: Sequence[Packet]
    interfaces: Mapping[int, Interface]
    problem: str = ""


@dataclass(frozen=True)
class Start:
    """How the connection begins that a request wants: from an IP to an IP and port.

    ``source_port`` is 0 where it may be any.
    """

    source: str
    destination: str
    port: int
    source_port: int = 0


@dataclass(frozen=True)
class Hop:
    """A packet at one interface. ``src`` and ``dst`` are "ip:port", ``changed`` compares with the hop before.

    ``micros`` counts from the trace's first hop, so it is negative for a SYN before a request.
    ``leg`` counts the connections from 1 in the request's order.
    """

    node: str
    interface: Interface
    direction: Literal["in", "out"]
    src: str
    dst: str
    way: Way
    micros: int
    changed: tuple[Change, ...] = ()
    leg: int = 1

    @property
    def place(self) -> tuple[str, str, str, str, str]:
        """Where it was seen with which addresses: the same for each packet that takes the same way."""
        return self.node, self.interface.name, self.direction, self.src, self.dst

    def __str__(self) -> str:
        where = f"{self.node} {self.interface.name} {self.direction}"
        label = f" ({self.interface.label})" if self.interface.label else ""
        changed = f"  {', '.join(self.changed)}" if self.changed else ""
        return f"{self.micros:>7} µs  {self.way:<7}  {where}{label}: {self.src} → {self.dst}{changed}"


@dataclass(frozen=True)
class Leg:
    """One TCP connection of the path; ``syn`` is empty if it was opened before the capture began."""

    number: int
    request: tuple[Hop, ...]
    reply: tuple[Hop, ...]
    syn: tuple[Hop, ...]

    @property
    def same_way(self) -> bool:
        """Whether the handshake's SYN was seen where the request was, with the same addresses."""
        return bool(self.syn) and [hop.place for hop in self.syn] == [hop.place for hop in self.request]


@dataclass(frozen=True)
class Trace:
    """All hops in order. ``answer`` is what came back, ``problem`` why the trace may be incomplete.

    Without any request on the wire the hops are those of the SYN and of what answered it.
    ``retransmissions`` counts the packets that some interface saw again.
    """

    hops: tuple[Hop, ...] = ()
    syn_hops: tuple[Hop, ...] = ()
    retransmissions: int = 0
    answer: Answer = ""
    problem: str = ""

    @property
    def answered(self) -> bool:
        """Whether anything came back, be it a refusal."""
        return bool(self.answer)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The connections in the request's order."""
        parts = (self.hops, "request"), (self.hops, "reply"), (self.syn_hops, "request")
        return tuple(
            Leg(n, *(tuple(hop for hop in hops if (hop.leg, hop.way) == (n, way)) for hops, way in parts))
            for n in sorted({hop.leg for hop in self.hops})
        )

    def hops_at(
        self,
        node: str | None = None,
        kind: Kind | None = None,
        way: Way | None = None,
        direction: str | None = None,
        changed: Change | None = None,
    ) -> tuple[Hop, ...]:
        """The hops that are all of what is asked for."""
        return tuple(
            hop
            for hop in self.hops
            if node in (None, hop.node)
            and kind in (None, hop.interface.kind)
            and way in (None, hop.way)
            and direction in (None, hop.direction)
            and (changed is None or changed in hop.changed)
        )
