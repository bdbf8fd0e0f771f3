"""Reads what ``tcpdump -i any -w`` wrote and its final counts: TCP packets, and whether any is missing.

The format is classic pcap (https://www.tcpdump.org/manpages/pcap-savefile.5.html) with the link type
LINUX_SLL2 (https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NamedTuple

Direction = Literal["in", "out", "other"]

SLL2 = 276
LONGEST = 262144
"""Bytes: libpcap never keeps more of a packet (MAXIMUM_SNAPLEN)."""
_MAGICS: dict[bytes, tuple[str, int]] = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
_FILE, _RECORD, _COOKED, _IPV4, _IPV6, _TCP = 24, 16, 20, 20, 40, 20
"""Bytes of each header, without options."""
_DIRECTIONS: dict[int, Direction] = {0: "in", 1: "in", 2: "in", 3: "other", 4: "out"}


class Flag(IntFlag):
    """TCP's flags as they stand in its header."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


@dataclass(frozen=True)
class Packet:
    """A TCP packet at one interface. ``mac`` is the frame's sender; ``seq`` and ``ack`` are absolute.

    ``direction`` "other" is a frame to another MAC than the interface's own: what a Pod sends shows so at
    its veth's end on the node, because the frame is for the bridge or for another Pod.
    """

    time_ns: int
    ifindex: int
    direction: Direction
    mac: str
    src: str
    sport: int
    dst: str
    dport: int
    seq: int
    ack: int
    flags: Flag
    payload: bytes
    """What was kept of it; the snapshot length may have cut it."""
    length: int
    """Bytes of payload on the wire."""


@dataclass(frozen=True)
class Frame:
    """A frame as it was captured, with its SLL2 header. ``length`` are its bytes before it was cut.

    ``packet`` is the TCP packet in it, None for anything else.
    """

    time_ns: int
    data: bytes
    length: int
    packet: Packet | None


def read(data: bytes) -> tuple[tuple[Packet, ...], bool]:
    """The TCP packets of a capture file, and whether it is whole: it ends where a record ends.

    Raises ValueError with one sentence for anything but such a file.
    """
    found, whole = frames(data)
    return tuple(frame.packet for frame in found if frame.packet), whole


def frames(data: bytes) -> tuple[list[Frame], bool]:
    """All frames of a capture file, and whether it is whole; raises ValueError as ``read`` does."""
    order, unit = _form(data)
    found: list[Frame] = []
    at = _FILE
    while at + _RECORD <= len(data):
        seconds, fraction, kept, length = struct.unpack_from(f"{order}IIII", data, at)
        if kept > LONGEST or fraction * unit >= 1_000_000_000:
            raise ValueError(f"the capture is damaged: what stands at byte {at} is no packet's header")
        frame = data[at + _RECORD : at + _RECORD + kept]
        if len(frame) < kept:
            break
        time_ns = seconds * 1_000_000_000 + fraction * unit
        found.append(Frame(time_ns, frame, length, _packet(frame, time_ns)))
        at += _RECORD + kept
    return found, at == len(data)


def _form(data: bytes) -> tuple[str, int]:
    """Byte order and nanoseconds in a unit of the times' fractions."""
    if len(data) < _FILE:
        raise ValueError(f"the capture has {len(data)} bytes, less than the header of a pcap file")
    if data[:4] not in _MAGICS:
        raise ValueError(f"the capture starts with {data[:4].hex()}, which is no pcap file")
    order, unit = _MAGICS[data[:4]]
    link = struct.unpack_from(f"{order}I", data, _RECORD + 4)[0] & 0xFFFF
    if link != SLL2:
        raise ValueError(
            f"the capture has link type {link} instead of {SLL2}: was it tcpdump 4.99 on -i any?"
        )
    return order, unit


def _packet(frame: bytes, time_ns: int) -> Packet | None:
    """The packet in a frame; None for another protocol, a later fragment or a frame that is too short."""
    if len(frame) < _COOKED + _IPV4 + _TCP:
        return None
    ethertype, _, ifindex, _, kind, known, address = struct.unpack_from(">HHIHBB8s", frame)
    head = {0x0800: _head, 0x86DD: _head_v6}.get(ethertype, _no_head)(frame)
    if head is None or len(frame) < head.ends + _TCP:
        return None
    tcp, end = head.ends, head.whole
    sport, dport, seq, ack, offset, flags = struct.unpack_from(">HHIIBB", frame, tcp)
    body = tcp + (offset >> 4) * 4
    if body < tcp + _TCP or end < body:
        return None
    return Packet(
        time_ns,
        ifindex,
        _DIRECTIONS.get(kind, "other"),
        address[: min(known, 8)].hex(":"),
        head.src,
        sport,
        head.dst,
        dport,
        seq,
        ack,
        Flag(flags & 31),
        frame[body:end],
        end - body,
    )


class _Head(NamedTuple):
    """An IP header in front of TCP: where in the frame it ends, and where the whole packet does."""

    src: str
    dst: str
    ends: int
    whole: int


def _no_head(frame: bytes) -> _Head | None:
    return None


def _head(frame: bytes) -> _Head | None:
    """IPv4 (RFC 791)."""
    version, _, total, _, fragment, _, protocol, _, src, dst = struct.unpack_from(
        ">BBHHHBBHII", frame, _COOKED
    )
    ends = _COOKED + (version & 15) * 4
    if version >> 4 != 4 or protocol != 6 or fragment & 0x1FFF or ends < _COOKED + _IPV4:
        return None
    # A segment too big for the field, before the card cuts it up, has the total 0.
    whole = _COOKED + total if total else len(frame)
    return _Head(str(IPv4Address(src)), str(IPv4Address(dst)), ends, whole)


def _head_v6(frame: bytes) -> _Head | None:
    """IPv6 (RFC 8200); a packet with extension headers is none that a lab sends."""
    ends = _COOKED + _IPV6
    if len(frame) < ends:
        return None
    version, payload, following, _, src, dst = struct.unpack_from(">IHBB16s16s", frame, _COOKED)
    if version >> 28 != 6 or following != 6:
        return None
    whole = ends + payload if payload else len(frame)  # 0 as with IPv4: a jumbogram, or not yet cut up
    return _Head(str(IPv6Address(src)), str(IPv6Address(dst)), ends, whole)


@dataclass(frozen=True)
class Statistics:
    """What tcpdump counted, None where it did not say.

    ``received`` exceeds ``captured`` without any loss on the loopback interface, where libpcap passes over
    the outgoing half.
    """

    captured: int | None
    received: int | None
    dropped: int | None

    @property
    def lost(self) -> bool:
        """Whether packets are or may be missing."""
        return bool(self.problem)

    @property
    def problem(self) -> str:
        """Why packets are or may be missing, or an empty text."""
        if self.captured is None or self.received is None or self.dropped is None:
            return "tcpdump did not say how many packets it lost"
        return f"tcpdump lost {self.dropped} of {self.received} packets" if self.dropped else ""


def statistics(stderr: str) -> Statistics:
    """The closing lines of tcpdump's stderr."""

    def count(what: str) -> int | None:
        found = re.findall(rf"^([0-9]{{1,18}}) packets? {what}\s*$", stderr, re.MULTILINE)
        return int(found[-1]) if found else None

    kernel, interface = count("dropped by kernel"), count("dropped by interface")
    dropped = None if kernel is None else kernel + (interface or 0)
    return Statistics(count("captured"), count("received by filter"), dropped)
