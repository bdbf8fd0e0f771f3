"""A node sends packets to a link-layer address that somebody has fixed, and nobody answers there."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.scene import Cause, Red, Scene, Try, agent, name_of
from scripts.causes.told import looks_up
from scripts.ends import ip_of
from scripts.evidence.links import Route
from scripts.evidence.routing import way
from scripts.evidence.ruletrace import Passage
from scripts.evidence.udpask import Echo

FIXED = "PERMANENT"
"""The state of an entry that the kernel never asks for again (ip-neighbour(8))."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each fixed entry for the next stop of replayed packets that did not leave the node, or got lost."""
    found: dict[tuple[str, str], set[str]] = {}
    for red in scene.reds:
        for node, source, destination in _lost(red, scene):
            ip = _next(scene, node, source, destination)
            if FIXED in scene.state(node).neighbours.get(ip, ""):
                found.setdefault((node, ip), set()).add(red.id)
    for (node, ip), ids in found.items():
        yield Cause(
            "wrong_neighbour",
            f"{name_of(scene, node)} does not ask for the link-layer address of {scene.owner(ip) or ip}: "
            "somebody has fixed one, and what is sent there is lost",
            (f"ip neigh on {node}: {ip} {FIXED}; packets to it were last seen there",),
            frozenset(ids),
            node=name_of(scene, node),
            look=agent(scene, node, "ip", "neigh", "show", ip),
            mend=agent(scene, node, "ip", "neigh", "flush", "to", ip, "nud", "permanent"),
        )


def _lost(red: Red, scene: Scene) -> Iterator[tuple[str, str, str]]:
    """Where its packets, and those of who asks on its behalf, were last seen: node, source, destination."""
    for one in red.failing:
        if not any(one.ends):
            yield from _last(one)
    resolver = red.place.ip if red.place and looks_up(red) else ""
    sent = [one for one in scene.passages if _sent_for(one, red, resolver)]
    for passage in sent:
        alike = {one.node for one in sent if _ends(one) == _ends(passage)}
        if alike == {passage.node} and not passage.end:
            yield passage.node, passage.source, passage.destination


def _sent_for(passage: Passage, red: Red, resolver: str) -> bool:
    """Whether it opens a connection for a red that got no answer, or is of a lookup for a red."""
    source = ip_of(passage.source)
    if passage.destination.endswith(":53"):
        return source in red.askers or source == resolver
    return passage.opens and bool(red.failing) and source in red.askers


def _ends(passage: Passage) -> tuple[str, str]:
    return passage.source, passage.destination


def _last(one: Try) -> Iterator[tuple[str, str, str]]:
    if isinstance(one.answer, Echo) or not one.trace.hops:  # what was not captured met rules all the same
        yield from ((met.node, met.source, met.destination) for met in one.passages[-1:])
    elif hop := one.last("reply") or one.last("request"):
        yield hop.node, hop.src, hop.dst


def _next(scene: Scene, node: str, source: str, destination: str) -> str:
    """The address that a node asks the link-layer address of, to send such a packet on.

    A tunnel's are fixed by the program that keeps it, and are as they should be.
    """
    state = scene.state(node)
    ends = [ip_of(end) for end in (source, destination)]
    chosen = way(state.routes, state.policies, *ends)
    if not isinstance(chosen, Route) or not chosen.via:
        return ends[1]
    device = state.devices.get(chosen.dev)
    return "" if device is None or device.kind == "vxlan" or "onlink" in chosen.flags else chosen.via
