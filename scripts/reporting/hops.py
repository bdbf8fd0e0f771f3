"""A trace as a person reads it: hop by hop, the addresses carried there, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.evidence.trace import Hop, Trace

HEADINGS = {"request": "request", "reply": "answer"}


def drawn(trace: Trace, title: str, who: Mapping[str, str]) -> str:
    """The trace in plain lines: who has which address, both ways, times in µs since the first hop."""
    wide = max(map(len, who), default=0)
    lines = [title, *(f"  {address:<{wide}}  {name}" for address, name in who.items())]
    if not trace.hops:
        return f"{title}\n  nothing of it was seen on any node"
    for way, heading in HEADINGS.items():
        hops = [hop for hop in trace.hops if hop.way == way]
        if hops:
            lines += ["", heading, *_way(hops)]
    if trace.retransmissions:
        lines += ["", f"{trace.retransmissions} packets were sent again"]
    return "\n".join(lines)


def _way(hops: Sequence[Hop]) -> list[str]:
    """One way's hops; a node's name stands where it changes."""
    seen = [(hop, _interface(hop), f"{hop.src} → {hop.dst}") for hop in hops]
    wide = max(len(interface) for _, interface, _ in seen)
    wider = max(len(addresses) for _, _, addresses in seen)
    lines, node = [], ""
    for hop, interface, addresses in seen:
        if hop.node != node:
            node = hop.node
            lines.append(f"  {node}")
        told = f"{hop.micros:>8} µs  {hop.direction:<3}  {interface:<{wide}}  {addresses:<{wider}}"
        lines.append(f"{told}  {', '.join(hop.changed)}".rstrip())
    return lines


def _interface(hop: Hop) -> str:
    label = f" ({hop.interface.label})" if hop.interface.label else ""
    return f"{hop.interface.name}{label}"
