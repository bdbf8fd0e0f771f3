"""A node has no route, or a wrong one, to the Pods of another node, or for a packet of the replay."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from scripts.causes.commands import of_cluster
from scripts.causes.scene import Cause, Red, Scene, Try, agent, name_of
from scripts.ends import ip_of
from scripts.evidence.links import Route, within
from scripts.evidence.routing import NOWHERE, PolicyRule, way
from scripts.evidence.snapshot import NodeInfo


def find(scene: Scene) -> Iterator[Cause]:
    """Each pair of nodes whose routes do not lead to each other, and what else a node sends nowhere."""
    yield from _between_nodes(scene)
    yield from _nowhere(scene)


def _between_nodes(scene: Scene) -> Iterator[Cause]:
    """Wrong routes to other nodes' Pods, if at least one is right: else routes do not lead to Pods here."""
    judged = [
        (node, other, _wrong(state.routes, other))
        for node, _, state in scene.nodes()
        for other in scene.view.snapshot.nodes
        if other.name != node and other.pod_cidr and state.routes
    ]
    if any(not wrong for *_, wrong in judged):
        for node, other, wrong in judged:
            if wrong:
                yield _cause(scene, node, other, wrong)


def _cause(scene: Scene, node: str, other: NodeInfo, wrong: str) -> Cause:
    return Cause(
        kind="no_route",
        what=f"{node} has no way to the Pods of {other.name}: {wrong}",
        node=node,
        evidence=(f"{wrong}; Pods of {other.name} have addresses of {other.pod_cidr}",),
        explains=scene.ids(red for red in scene.reds if _ends_there(red, node, other)),
        look=agent(scene, node, *scene.ip, "route", "show", "table", "all"),
        mend=_mend(scene, node, other),
        hides=frozenset({"reverse_path"}),
    )


def _wrong(routes: tuple[Route, ...], other: NodeInfo) -> str:
    """What is wrong with the routes to a node's Pods, or an empty text."""
    wanted = ipaddress.ip_network(other.pod_cidr)
    for route in routes:
        if route.type in NOWHERE and within(route.dst, wanted):
            return f"route {route.type} {route.dst}"
    fitting = [route for route in routes if within(wanted, route.dst) and route.dst.prefixlen]
    fitting = [route for route in fitting if route.table in ("main", "254")]
    if not fitting:
        return f"no route to {other.pod_cidr}"
    best = max(fitting, key=lambda route: route.dst.prefixlen)
    if best.type in NOWHERE:
        return f"route {best.type} {best.dst}"
    tunnelled = "onlink" in best.flags or best.dev.startswith(("flannel", "vxlan", "cali", "cilium"))
    if best.via and best.via != other.ip and not tunnelled:
        return f"its route to {best.dst} leads to {best.via}, which is not {other.name} ({other.ip})"
    if best.dst == wanted and {"dead", "linkdown"} & best.flags:
        return f"its route to {best.dst} leads over {best.dev}, which is down"
    return ""


def _mend(scene: Scene, node: str, other: NodeInfo) -> str:
    """Takes away each route that leads nowhere; where there is none, makes the one that is missing."""
    wanted = ipaddress.ip_network(other.pod_cidr)
    nowhere = [
        one
        for one in scene.state(node).routes
        if one.type in NOWHERE and one.dst.prefixlen and one.dst.overlaps(wanted)
    ]
    if not nowhere:
        return agent(scene, node, *scene.ip, "route", "replace", other.pod_cidr, "via", other.ip)
    return "; ".join(agent(scene, node, *_gone(one)) for one in nowhere)


def _gone(route: Route) -> tuple[str, ...]:
    """The command that takes a route away."""
    where = ("table", route.table, "metric", str(route.metric))
    family = ("-6",) if route.dst.version == 6 else ()
    return ("ip", *family, "route", "del", route.type, str(route.dst), *where)


def _ends_there(red: Red, node: str, other: NodeInfo) -> bool:
    """Whether a failing replay ended on the node on its way to the other one's Pods, in either direction."""
    wanted = ipaddress.ip_network(other.pod_cidr)
    for one in red.failing:
        for hop in filter(None, (one.last("reply"), None if one.last("reply") else one.last("request"))):
            here = hop.node == node or hop.node == "gateway"
            if here and ipaddress.ip_address(ip_of(hop.dst)) in wanted:
                return True
    return False


def _nowhere(scene: Scene) -> Iterator[Cause]:
    """What came into a node, met no rule that ended it, and has no way on by the node's own routes."""
    found: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for red in scene.reds:
        for one in red.failing:
            if lost := _lost(scene, one):
                found.setdefault(lost, set()).add(red.id)
    for (node, why, away), ids in found.items():
        yield Cause(
            kind="no_route",
            what=f"{node} has no way for packets that it is to send on: {why}",
            node=name_of(scene, node),
            evidence=(f"{why}; the replay's packets came into {name_of(scene, node)} and did not leave it",),
            explains=frozenset(ids),
            look=agent(scene, node, *scene.ip, "route", "show", "table", "all"),
            mend=agent(scene, node, *away) if away else of_cluster(scene),
        )


def _lost(scene: Scene, one: Try) -> tuple[str, str, tuple[str, ...]] | None:
    """The node that a failing request or its answer did not leave, and what its routes say of the packet.

    The last is the command that takes the route or rule away that leads nowhere; empty where none fits.
    """
    hop = one.last("reply") or one.last("request")
    state = scene.after.get(hop.node) if hop else None
    if hop is None or hop.direction != "in" or state is None or state.problem or not state.routes:
        return None
    routed = any(
        passage.node == hop.node and passage.chain in ("FORWARD", "INPUT", "forward", "input")
        for passage in one.passages
    )
    source, destination = (ip_of(end) for end in (hop.src, hop.dst))
    services = {
        ip for of in scene.view.snapshot.services.values() for ip in (of.cluster_ip, *of.balancer_ips)
    }
    if routed or one.refused or any(one.ends) or destination in services:
        return None
    chosen = way(state.routes, state.policies, source, destination)
    if chosen is None:
        return hop.node, f"no route to {destination}", ()
    if isinstance(chosen, PolicyRule):
        return hop.node, f"policy rule {chosen}", ("ip", "rule", "del", "priority", str(chosen.priority))
    return (hop.node, f"route {chosen.type} {chosen.dst}", _gone(chosen)) if chosen.type in NOWHERE else None
