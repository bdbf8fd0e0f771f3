"""Where a request and its answer were last seen, and where they should have come next."""

from __future__ import annotations

from collections.abc import Callable

from scripts.ends import ip_of
from scripts.evidence.trace import Hop, Trace


def last_seen(
    trace: Trace, owner: Callable[[str], str], node_of: Callable[[str], str], connected: bool = False
) -> str:
    """One sentence. ``owner`` names who has an IP, ``node_of`` its node; both are empty for nobody.

    ``connected`` says that whoever was asked accepted the connection.
    """
    requests = [hop for hop in trace.hops if hop.way == "request"]
    replies = [hop for hop in trace.hops if hop.way == "reply"]
    if not requests:
        return "the request was seen on no node"
    if not replies:
        ip = ip_of(requests[-1].dst)
        after = _after(requests[-1], owner, node_of)
        if connected and not node_of(ip):
            after = f"{owner(ip) or ip} accepted the connection, and no answer came"
        return f"the request was last seen {_at(requests[-1])}; {after}"
    if trace.answer == "RST" and _turned_away(requests[-1], node_of):
        return f"the request was last seen {_at(requests[-1])}, and a refusal came back from there"
    reached = f"the request reached {_end(requests[-1], owner)}"
    answer = {"RST": "a refusal", "SYN ACK": "the connection's acceptance"}.get(trace.answer, "the answer")
    back = replies[-1]
    if (back.interface.kind == "pod" and back.direction == "out") or trace.answer == "RST":
        return f"{reached}; {answer} came back and was last seen {_at(back)}"
    return f"{reached}; {answer} was last seen {_at(back)}; {_after(back, owner, node_of)}"


def _turned_away(hop: Hop, node_of: Callable[[str], str]) -> bool:
    """Whether a request ended on a node, or on the gateway, that it was only to pass."""
    return hop.direction == "in" and node_of(ip_of(hop.dst)) != hop.node


def _at(hop: Hop) -> str:
    label = f" ({hop.interface.label})" if hop.interface.label else ""
    way = "entering" if hop.direction == "in" else "leaving"
    return f"{way} {hop.interface.name}{label} of {hop.node}, as {hop.src} → {hop.dst}"


def _end(hop: Hop, owner: Callable[[str], str]) -> str:
    return owner(ip_of(hop.dst)) or hop.dst


def _after(hop: Hop, owner: Callable[[str], str], node_of: Callable[[str], str]) -> str:
    """Where it should have come next."""
    ip = ip_of(hop.dst)
    there, whose = node_of(ip), owner(ip) or ip
    if hop.direction == "out" and hop.interface.kind == "pod":
        return f"{whose} sent no answer"
    if hop.direction == "out" and hop.interface.kind in ("uplink", "tunnel"):
        return f"it never came to {there or whose}" if there != hop.node else f"it never came to {whose}"
    if there and there != hop.node:
        return f"it never left {hop.node} towards {there}"
    return f"it never reached {whose} on {hop.node}" if there else f"it never left {hop.node} towards {whose}"
