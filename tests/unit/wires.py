"""What happens on the wires of the made-up cluster: where packets pass, with which addresses, as bytes.

A way is a list of ports (node, interface, direction) with the addresses that a packet carries there; the
answer takes it backwards. What netfilter tracks on a node follows from it.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from scripts.evidence.pcap import SLL2, Flag
from tests.unit.atlas import BRIDGES, NODES, OUTSIDE, PODS

GATE = OUTSIDE.gateway
End = tuple[str, int]
Port = tuple[str, str, str]
BACK = {"in": "out", "out": "in"}
KINDS = {"in": 0, "out": 4}  # as sll2's packet types; a Pod's frames are for another MAC: 3


@dataclass(frozen=True)
class Hop:
    """A packet at a port. ``src`` and ``dst`` are addresses with their TCP port."""

    port: Port
    src: End
    dst: End


@dataclass(frozen=True)
class Leg:
    """One TCP connection: the hops of its first packet; those of an answer are the same backwards."""

    hops: tuple[Hop, ...]
    answered: bool = True
    unrewritten: bool = False
    """A lie: the answer arrives with the address of whoever sent it."""

    @property
    def back(self) -> tuple[Hop, ...]:
        if not self.answered:
            return ()
        ways = [Hop((h.port[0], h.port[1], BACK[h.port[2]]), h.dst, h.src) for h in reversed(self.hops)]
        if self.unrewritten:
            ways = [Hop(hop.port, ways[0].src, hop.dst) for hop in ways]
        return tuple(ways)

    def tracked(self) -> Iterator[tuple[str, str]]:
        """(node, line) of what conntrack lists on each node that the connection passes."""
        for node, group in itertools.groupby(self.hops, lambda hop: hop.port[0]):
            hops = [*group]
            if node in NODES:
                there, back = (*hops[0].src, *hops[0].dst), (*hops[-1].dst, *hops[-1].src)
                flows = " ".join(
                    "src={0} dst={2} sport={1} dport={3}".format(*flow) for flow in (there, back)
                )
                yield node, f"ipv4     2 tcp      6 119 TIME_WAIT {flows} [ASSURED] mark=0 use=1"


def up(name: str, ptp: bool = False) -> list[Port]:
    """From a Pod, a node or a host outside to the nodes' network."""
    if name in (OUTSIDE.outside, "outside"):
        return [(GATE, "eth1", "in"), (GATE, "eth0", "out")]
    if name in NODES:
        return [(name, "eth0", "out")]
    if name not in PODS:
        return []  # it stands on that network itself
    node = PODS[name][3]
    bridge = [] if ptp else [(node, "cbr0", "in")]
    return [(node, f"veth-{name}", "in"), *bridge, (node, "eth0", "out")]


def down(name: str, ptp: bool = False) -> list[Port]:
    """From the nodes' network to it."""
    return [(node, at, BACK[way]) for node, at, way in reversed(up(name, ptp))]


def ports(start: str, end: str, ptp: bool = False, detour: bool = False) -> list[Port]:
    """Every port between two of them; ``detour`` sends neighbours over their node's own interface."""
    one, other = (PODS[name][3] if name in PODS else name for name in (start, end))
    if one != other or detour:
        return up(start, ptp) + down(end, ptp)
    outward, inward = up(start, ptp)[:-1], down(end, ptp)[1:]
    if start in PODS and end in PODS:  # a bridge passes frames on without showing them on itself
        return [port for port in outward + inward if port[1] != "cbr0"]
    return outward + inward


def by_way_of(node: str, start: str, end: str, ptp: bool = False) -> list[Port]:
    """Every port to a Pod by a node that sends on to it (a node port)."""
    if PODS[end][3] == node:
        return up(start) + down(end, ptp)
    return [*up(start), (node, "eth0", "in"), (node, "eth0", "out"), *down(end, ptp)]


def carried(way: Sequence[Port], src: End, dst: End, changes: Mapping[int, tuple[End, End]]) -> Leg:
    """The leg along a way; ``changes`` are the addresses (source, destination) from a place on."""
    hops = []
    for number, port in enumerate(way):
        src, dst = changes.get(number, (src, dst))
        hops.append(Hop(port, src, dst))
    return Leg(tuple(hops))


def leaving(node: str, by_bridge: bool) -> str:
    """The address that a node gives to what leaves it: that of the interface there."""
    return BRIDGES[node] if by_bridge else NODES[node]


class Wire:
    """The packets of all connections since the start, as tcpdump would have written them."""

    def __init__(self) -> None:
        self.records: list[tuple[Hop, int, int, int, bytes, int]] = []
        self._clock = itertools.count(1_600_000_000_000_000_000, 7_000)
        self._isn = itertools.count(1_000_000, 100_000_000)

    def exchange(self, legs: Sequence[Leg], request: bytes, answer: bytes) -> None:
        """The handshakes, the request along all legs, and the answer all the way back."""
        starts = [next(self._isn) % 2**32 for _ in legs]
        for leg, seq in zip(legs, starts, strict=True):
            self._send(leg.hops, Flag.SYN, seq, 0, b"")
            if leg.answered:
                self._send(leg.back, Flag.SYN | Flag.ACK, seq + 50_000_000, seq + 1, b"")
                self._send(leg.hops, Flag.PSH | Flag.ACK, seq + 1, seq + 50_000_001, request)
        for leg, seq in [*zip(legs, starts, strict=True)][::-1]:
            if leg.answered:
                ack = seq + 1 + len(request)
                self._send(leg.back, Flag.PSH | Flag.ACK, seq + 50_000_001, ack, answer)

    def _send(self, hops: Sequence[Hop], flags: int, seq: int, ack: int, payload: bytes) -> None:
        for hop in hops:
            self.records.append((hop, flags, seq, ack, payload, next(self._clock)))

    def pcap(self, place: str, since: int) -> tuple[bytes, bytes]:
        """The capture file of a place from a record on, and tcpdump's last words."""
        mine = [_record(*one) for one in self.records[since:] if one[0].port[0] == place]
        head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, SLL2)
        return head + b"".join(mine), told(len(mine), 0)


def told(packets: int, dropped: int) -> bytes:
    """How tcpdump ends."""
    return (
        f"{packets} packets captured\n{packets} packets received by filter\n"
        f"{dropped} packets dropped by kernel\n"
    ).encode()


def index_of(node: str, interface: str) -> int:
    """An interface's index on its node; the gateway has two of them besides its loopback."""
    if interface.startswith("veth-"):
        return 10 + [*PODS].index(interface.removeprefix("veth-"))
    return {"lo": 1, "eth0": 2, "eth1": 3, "cbr0": 4}[interface]


def _record(hop: Hop, flags: int, seq: int, ack: int, payload: bytes, time_ns: int) -> bytes:
    frame, (seconds, nanos) = _frame(hop, flags, seq, ack, payload), divmod(time_ns, 10**9)
    return struct.pack("<IIII", seconds, nanos, len(frame), len(frame)) + frame


def _frame(hop: Hop, flags: int, seq: int, ack: int, payload: bytes) -> bytes:
    node, interface, way = hop.port
    kind = 3 if interface.startswith("veth-") and way == "in" else KINDS[way]
    cooked = struct.pack(">HHIHBB8s", 0x0800, 0, index_of(node, interface), 1, kind, 6, b"\x02" * 6)
    source, destination = (int(IPv4Address(ip)) for ip, _ in (hop.src, hop.dst))
    size = 40 + len(payload)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, size, 0, 0, 64, 6, 0, source, destination)
    tcp = struct.pack(">HHIIBBHHH", hop.src[1], hop.dst[1], seq % 2**32, ack % 2**32, 5 << 4, flags, 1, 0, 0)
    return cooked + ip + tcp + payload
