"""Reads from a node's wiring which way a Pod's packets go: veth, bridge or none, and on to other nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from scripts.evidence.links import EVERYWHERE, Link, Look, Network, Route, Wiring, within

Ip = IPv4Address | IPv6Address

Kind = Literal["bridge", "ptp", "unknown"]
Between = Literal["host-gw", "vxlan", "geneve", "ipip", "gre", "wireguard", "unknown"]
_TUNNELS: Mapping[str, Between] = {
    "vxlan": "vxlan",
    "geneve": "geneve",
    "ipip": "ipip",
    "gre": "gre",
    "wireguard": "wireguard",
}


@dataclass(frozen=True)
class OtherNode:
    """Another node as the API has it: its Pod range (CIDR) and its InternalIP."""

    name: str
    cidr: str
    ip: str


@dataclass(frozen=True)
class Carrier:
    """The route that carries another node's Pod range, and how."""

    node: OtherNode
    route: Route
    between: Between
    told: str


@dataclass(frozen=True)
class Datapath:
    """The way of a Pod's packets through its node. ``told`` describes it in one sentence.

    ``bridge`` is empty without one; ``uplink`` is the node's own interface towards the other nodes.
    """

    kind: Kind
    bridge: str
    between: Between
    uplink: str
    told: str


def node_end(pod: Look, links: Sequence[Link], fdb: Mapping[str, str] | None = None) -> Link | str:
    """The node's end of the Pod's veth pair, where both ends name each other; else why not, in a sentence.

    Indices repeat from node to node, so a match against the wrong node is possible; a MAC that ``fdb`` has
    behind the returned link excludes it. A MAC that ``fdb`` does not know (it has aged out) excludes nothing.
    """
    own = next((link for link in links if (link.ifindex, link.mac) == (pod.ifindex, pod.mac)), None)
    if own:
        return f"{pod.name} is the node's own {own.name}: the Pod is on the host network."
    if pod.peer is None:
        return f"The Pod's {pod.name} names no other end."
    link = next((link for link in links if link.ifindex == pod.peer), None)
    if link is None:
        return f"The Pod's {pod.name} names interface {pod.peer}, and the node has none of that index."
    if link.kind != "veth":
        return f"The Pod's {pod.name} names the node's {link.name}, which is a {link.kind} and no veth."
    if link.netns is None:
        return f"The other end of the node's {link.name} is in the node's own namespace."
    if link.peer != pod.ifindex:
        back = f"interface {link.peer}" if link.peer else "no other end"
        return f"The node's {link.name} names {back}, while the Pod's {pod.name} is interface {pod.ifindex}."
    port = (fdb or {}).get(pod.mac, link.name)
    if port != link.name:
        return f"The bridge has the Pod's MAC {pod.mac} behind {port}, and not behind {link.name}."
    return link


def route_to(destination: Network, routes: Iterable[Route]) -> Route | None:
    """The main table's route for the whole of ``destination``: the longest prefix, then the lowest metric."""
    covering = (
        route
        for route in routes
        if route.table == "main" and "dead" not in route.flags and within(destination, route.dst)
    )
    return max(covering, key=lambda route: (route.dst.prefixlen, -route.metric), default=None)


def carriers(others: Iterable[OtherNode], wiring: Wiring) -> dict[str, Carrier | str]:
    """By node name, the route that carries its Pod range, or why none does, in a sentence."""
    return {node.name: _carrier(node, wiring) for node in others}


def classify(pod_ip: str, veth: Link, wiring: Wiring, others: Sequence[OtherNode] = ()) -> Datapath:
    """The datapath of the Pod of ``pod_ip`` (ValueError if it is none) whose end on the node is ``veth``."""
    kind, bridge, inside = _inside(ip_address(pod_ip), veth, wiring)
    between, outside = _between(carriers(others, wiring))
    return Datapath(kind, bridge, between, _uplink(others, wiring), f"{inside}; {outside}.")


def _carrier(node: OtherNode, wiring: Wiring) -> Carrier | str:
    try:
        range_ = ip_network(node.cidr)
    except ValueError:
        return f"{node.name} has no Pod range, but {node.cidr or 'none'}."
    whose = f"the Pod range {range_} of {node.name}"
    route = route_to(range_, wiring.routes)
    if route is None:
        return f"No route covers {whose}."
    if not route.dst.prefixlen:
        return f"Only the default route ({_hop(route)}) covers {whose}."
    if route.type != "unicast":
        return f"The {route.type} route {route.dst} ends {whose}."
    link = wiring.named(route.dev)
    between: Between = _TUNNELS.get(link.kind if link else "", "unknown")
    if between == "unknown" and route.via == node.ip:
        between = "host-gw"
    if between == "unknown":
        return f"The route of {whose} goes {_hop(route)} and not via the node itself ({node.ip})."
    return Carrier(node, route, between, f"The route {route.dst} {_hop(route)} carries {whose} ({between}).")


def _between(found: Mapping[str, Carrier | str]) -> tuple[Between, str]:
    if not found:
        return "unknown", "there is no other node"
    for one in found.values():
        if isinstance(one, str):
            return "unknown", one.rstrip(".")
    carried = [one for one in found.values() if isinstance(one, Carrier)]
    hows = {one.between for one in carried}
    hops = ", ".join(f"{one.route.dst} {_hop(one.route)}" for one in carried)
    if len(hows) > 1:
        return "unknown", f"other nodes' Pod ranges go different ways ({', '.join(sorted(hows))}): {hops}"
    how = hows.pop()
    return how, f"other nodes' Pod ranges go by {how}: {hops}"


def _inside(pod: Ip, veth: Link, wiring: Wiring) -> tuple[Kind, str, str]:
    route = route_to(ip_network(pod), wiring.routes)
    routed = f"the node routes {pod} {_hop(route)}" if route else f"the node has no route to {pod}"
    if veth.master:
        return _bridged(pod, veth, wiring, route, routed)
    direct = route is not None and not route.via and route.scope in ("link", "host")
    if route and direct and (route.dst.prefixlen, route.dev) == (pod.max_prefixlen, veth.name):
        way = "so packets between Pods of this node are routed too, and cross no bridge"
        return "ptp", "", f"{veth.name} is a port of no bridge and {routed}, {way}"
    return "unknown", "", f"{veth.name} is a port of no bridge, and {routed}"


def _bridged(pod: Ip, veth: Link, wiring: Wiring, route: Route | None, routed: str) -> tuple[Kind, str, str]:
    master = wiring.named(veth.master)
    if master is None or master.kind != "bridge":
        what = f"a {master.kind} and no bridge" if master else "not among the node's links"
        return "unknown", "", f"{veth.name} belongs to {veth.master}, which is {what}"
    port = f"{veth.name} is a port of the bridge {master.name}"
    owned = [a.ip for a in wiring.addresses if a.dev == master.name and pod in a.ip.network]
    if not owned:
        return "unknown", master.name, f"{port}, which has no address in the range of {pod}"
    if route is None or route.dev != master.name:
        return "unknown", master.name, f"{port}, but {routed}"
    return "bridge", master.name, f"{port}, which is the Pods' gateway {owned[0]}"


def _hop(route: Route) -> str:
    if route.type != "unicast":
        return f"nowhere ({route.type} {route.dst})"
    return f"via {route.via} on {route.dev}" if route.via else f"straight to {route.dev}"


def _uplink(others: Iterable[OtherNode], wiring: Wiring) -> str:
    for node in others:
        with suppress(ValueError):  # an address of another family, or none
            if route := route_to(ip_network(node.ip), wiring.routes):
                return route.dev
    default = route_to(EVERYWHERE, wiring.routes)
    return default.dev if default else ""
