"""A node sends a Pod's packets to a link-layer address that somebody has fixed, and nobody answers there."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.scene import Cause, Scene, agent, name_of

FIXED = "PERMANENT"
"""The state of an entry that the kernel never asks for again (ip-neighbour(8))."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each fixed entry for the destination of a replayed packet that did not leave the node, or got lost."""
    found: dict[tuple[str, str], set[str]] = {}
    for red in scene.reds:
        for one in red.failing:
            hop = one.last("reply") or one.last("request")
            ip = hop.dst.rpartition(":")[0] if hop else ""
            if hop and FIXED in scene.state(hop.node).neighbours.get(ip, "") and not any(one.ends):
                found.setdefault((hop.node, ip), set()).add(red.id)
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
