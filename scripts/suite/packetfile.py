"""The packets of one followed request at every interface, as a file that Wireshark opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from scripts.ends import end_of
from scripts.evidence.capture import SNAP
from scripts.evidence.pcap import Flag, Frame, frames
from scripts.evidence.pcapng import Seen, pcapng
from scripts.evidence.trace import Interface
from scripts.evidence.view import View
from scripts.runs.document import HopRecord, TraceRecord
from scripts.runs.metrules import rewriting
from scripts.suite.follow import Followed
from scripts.suite.tracing import places
from scripts.transport.executor import Executor, PodExecError

BOOT = "/proc/sys/kernel/random/boot_id"
"""The same in every container of one running kernel, and so of one clock."""
PROXY = "new connection"
"""What a hop says where a proxy opens a connection of its own."""
Place = tuple[str, str, str, str, str]
"""Node, interface, direction, and the addresses with ports that a packet carries there."""


def without_one_clock(trace: TraceRecord, view: View, execute: Executor) -> str:
    """Why the times of a trace's nodes cannot be compared; empty if they are of one kernel's clock."""
    passed = {hop.node for hop in trace.hops}
    where = {name: place for name, place in places(view).items() if name in passed}

    def boot(name: str) -> str:
        try:
            return execute(where[name], ["cat", BOOT]).stdout.decode(errors="replace").strip()
        except PodExecError:
            return ""

    with ThreadPoolExecutor(len(where) or 1) as threads:
        boots = dict(zip(where, threads.map(boot, where), strict=True))
    if unknown := [name for name, id in boots.items() if not id]:
        return f"it is not known whether {', '.join(unknown)} has the clock of the others"
    if len({*boots.values()}) > 1:
        return "the nodes are different machines, each with a clock of its own"
    return ""


def packet_file(followed: Followed, title: str, without_clock: str = "") -> tuple[bytes, int, int]:
    """The file (pcapng), and the numbers of its packets and interfaces.

    It has what the request's connections sent at every interface, with the headers of SLL2, and nothing else
    of what was captured. Comments say which hop of the request a packet is, and what was rewritten before it
    by which rule; without one clock they are left out, and the file says why.
    """
    ends = {frozenset((hop.source, hop.destination)) for hop in followed.trace.hops}
    labels = {(hop.node, hop.interface): hop.label for hop in followed.trace.hops if hop.label}
    comments = {} if without_clock else _comments(followed.trace)
    nonce, taken = followed.nonce.encode(), sorted(_frames(followed), key=lambda one: one[1].time_ns)
    marked = any(nonce in frame.packet.payload for _, frame, _ in taken if frame.packet)
    names: dict[tuple[str, str], int] = {}
    described: list[tuple[str, str]] = []
    seen = []
    for node, frame, interface in taken:
        assert frame.packet is not None, "only packets have addresses"
        packet = frame.packet
        source, destination = end_of(packet.src, packet.sport), end_of(packet.dst, packet.dport)
        if frozenset((source, destination)) not in ends:
            continue
        at = node, interface.name
        if at not in names:
            names[at] = len(described)
            label = labels.get(at, interface.label)
            described.append(
                (f"{node}/{interface.name}{f' ({label})' if label else ''}", _described(interface))
            )
        way: Literal["in", "out"] = "out" if packet.direction == "out" else "in"
        hop, rewritten = comments.get((*at, way, source, destination), ("", ""))
        carries = nonce in packet.payload if marked else bool(packet.flags & Flag.SYN)
        comment = "\n".join(line for line in (hop if carries else "", rewritten) if line)
        seen.append(Seen(names[at], frame.time_ns, way, frame.data, frame.length, comment))
    unordered = (
        f"\nThe order of packets of different nodes is unknown: {without_clock}." if without_clock else ""
    )
    return pcapng(described, seen, f"podpath: {title}{unordered}", SNAP), len(seen), len(described)


def _frames(followed: Followed) -> Iterator[tuple[str, Frame, Interface]]:
    """Every packet with its node and its interface, but those that an uplink or a bridge only overheard."""
    for node, captured in followed.captured.items():
        if not captured.data:
            continue
        known: Mapping[int, Interface] = followed.interfaces.get(node, {})
        for frame in frames(captured.data)[0]:
            if frame.packet is None:
                continue
            index = frame.packet.ifindex
            interface = known.get(index, Interface(f"interface {index}", "other"))
            if frame.packet.direction != "other" or interface.kind in ("pod", "other"):
                yield node, frame, interface


def _described(interface: Interface) -> str:
    kind = "veth of a Pod" if interface.kind == "pod" else interface.kind
    return f"{kind}, port of {interface.bridge}" if interface.bridge else kind


def _comments(trace: TraceRecord) -> dict[Place, tuple[str, str]]:
    """For each place which hop it is, and what was rewritten before it."""
    found: dict[Place, tuple[str, str]] = {}
    for way, name in (("request", "request"), ("reply", "answer")):
        hops = [hop for hop in trace.hops if hop.way == way]
        for number, hop in enumerate(hops):
            place = hop.node, hop.interface, hop.direction, hop.source, hop.destination
            opens = ", on a connection of a proxy" if PROXY in hop.changed else ""
            which = f"{name}, hop {number + 1} of {len(hops)}{opens}"
            found.setdefault(place, (which, "\n".join(_rewritten(hops, number))))
    return found


def _rewritten(hops: Sequence[HopRecord], number: int) -> Iterator[str]:
    hop = hops[number]
    before = next((one for one in reversed(hops[:number]) if one.leg == hop.leg), None)
    changed = [name for name in hop.changed if name != PROXY]
    if changed and before:
        then, now = (f"{one.source} → {one.destination}" for one in (before, hop))
        yield f"{', '.join(changed)}: {then} became {now}"
        if rule := rewriting(hops, number):
            yield f"by the rule: {rule}"
