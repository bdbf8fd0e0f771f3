"""A node's strict reverse path filter drops packets whose answers would leave by another interface."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from scripts.causes.commands import switched
from scripts.causes.scene import Cause, Scene, agent, crosses
from scripts.evidence.links import Route
from scripts.evidence.nodestate import NodeState
from scripts.evidence.routing import way

COUNTER = "IPReversePathFilter"
LOOSE = 2
"""The value with which any way back will do; of an interface's own and ``all`` the larger one counts."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each node on which the filter counted during the replay."""
    for node, before, after in scene.nodes():
        dropped = after.grown(before, COUNTER)
        strict = [name for name in after.switches if name.endswith("/rp_filter") and after.number(name) == 1]
        if dropped and strict:
            odd = _elsewhere(scene, node, after)
            yield Cause(
                kind="reverse_path",
                what=f"the reverse path filter of {node} drops packets",
                node=node,
                evidence=(
                    f"TcpExt{COUNTER} grew by {dropped} in the replay; strict (1): "
                    + ", ".join("net." + name.replace("/", ".") for name in strict),
                    *(
                        f"its route {one.dst} dev {one.dev} leads back elsewhere than they came from"
                        for one in odd
                    ),
                ),
                explains=scene.ids(red for red in scene.reds if bool(red.failing) and crosses(red, node)),
                look=agent(scene, node, "nstat", "-az", f"TcpExt{COUNTER}"),
                mend="; ".join(agent(scene, node, *_gone(one)) for one in odd)
                or switched(scene, node, "ipv4/conf/all/rp_filter", LOOSE),
            )


def _elsewhere(scene: Scene, node: str, state: NodeState) -> list[Route]:
    """Routes for single sources that live on other nodes, by another interface than leads to those nodes."""
    found: list[Route] = []
    for ip in {red.place.ip for red in scene.reds if red.failing and red.place and red.place.ip}:
        home = scene.view.snapshot.node_ip(scene.node_of(ip)) if scene.node_of(ip) not in ("", node) else ""
        if not home:
            continue
        there = way(state.routes, (), ip, home)
        usual = there.dev if isinstance(there, Route) else ""
        fits = [
            one for one in state.routes if one.dst.prefixlen == 32 and ipaddress.ip_address(ip) in one.dst
        ]
        found += [one for one in fits if one.dev not in ("", usual) and one not in found]
    return found


def _gone(route: Route) -> tuple[str, ...]:
    """The command that takes a route away."""
    return ("ip", "route", "del", str(route.dst), "dev", route.dev, "table", route.table)
