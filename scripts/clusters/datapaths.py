"""The features of a cluster that its nodes' kernels show, whatever its DaemonSets are called.

What is of no known kind is called unknown, with what was seen. A feature must hold on every node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network

from scripts.clusters.feature import Feature
from scripts.evidence.datapath import Carrier, OtherNode, carriers, route_to
from scripts.evidence.links import EVERYWHERE, Wiring
from scripts.evidence.nodeview import Kernel, NodeView
from scripts.evidence.view import View

ROUTED = {"cali": "routed (cali*)", "eni": "routed (eni*)", "azv": "routed (azv*)", "lxc": "eBPF (lxc*)"}
"""How the names of the nodes' ends of veths begin that tell whose they are; any other routed one is ptp's."""
EBPF = ("cilium_host", "cilium_net")
UNKNOWN, NOTHING = "unknown", "nothing"
"""What no rule here knows, and where there is nothing to know: such a node says nothing of the others."""


def kernel_features(view: View, kernel: Kernel) -> list[Feature]:
    """What the nodes' kernels show of the Pods' way, of other nodes' ranges and of who serves Services."""
    if view.blind:
        return [Feature("kernel view", False, f"{view.blind}: judged by client, server and API")]
    seen = {name: node for name, node in kernel.nodes.items() if node.wiring.links}
    unread = [node.name for node in view.snapshot.nodes if node.name not in seen]
    if unread:
        return [Feature("kernel view", False, f"not read on {', '.join(unread)}")]
    others = {
        name: [OtherNode(o.name, o.pod_cidr, o.ip) for o in view.snapshot.nodes if o.name != name]
        for name in seen
    }
    ways = {name: attachment(_pods_of(view, name), node.wiring) for name, node in seen.items()}
    between = {name: between_nodes(others[name], node.wiring) for name, node in seen.items()}
    return [
        Feature("kernel view", True, f"read on {len(seen)} nodes"),
        _same("Pod datapath", ways),
        *([_same("between nodes", between)] if len(seen) > 1 else []),
        _same("Services served by", {name: _served(node) for name, node in seen.items()}),
        _same("MTU of Pods", {name: _mtu(node) for name, node in seen.items()}),
    ]


def attachment(pods: Iterable[str], wiring: Wiring) -> tuple[str, str]:
    """How a node's Pods (IPs) are joined to it, by its routes and links: the kind, and what shows it."""
    kinds: Counter[tuple[str, str]] = Counter()
    for ip in pods:
        try:
            pod = ip_address(ip)
        except ValueError:
            continue
        if not any(one.dst.version == pod.version for one in wiring.routes):
            continue
        route = route_to(ip_network(pod), wiring.routes)
        if route is None or not route.dst.prefixlen:
            kinds[UNKNOWN, f"no route of its own covers {pod}"] += 1
            continue
        link = wiring.named(route.dev)
        kind = link.kind if link else "nothing"
        if kind == "bridge":
            kinds["bridge", route.dev] += 1
        elif kind == "netkit" or route.dev in EBPF:
            kinds["eBPF", f"{route.dev} ({kind})"] += 1
        elif route.dst.prefixlen == 32 and kind == "veth":
            name = next((told for prefix, told in ROUTED.items() if route.dev.startswith(prefix)), "ptp")
            kinds[name, "a route a Pod, and no bridge"] += 1
        else:
            kinds[UNKNOWN, f"{route.dst} leads to {route.dev}, a {kind}"] += 1
    if not kinds:
        return NOTHING, "no Pod of the Pod network is here"
    if len(kinds) > 1:
        told = "; ".join(f"{kind}: {why}" for kind, why in sorted(kinds))
        return UNKNOWN, f"its Pods are joined in several ways ({told})"
    return next(iter(kinds))


def between_nodes(others: list[OtherNode], wiring: Wiring) -> tuple[str, str]:
    """How other nodes' Pod ranges are reached from a node: the kind, and what shows it."""
    hows: dict[str, str] = {}
    for name, found in carriers(others, wiring).items():
        if isinstance(found, Carrier):
            hows.setdefault(found.between, f"{found.route.dst} on {found.route.dev}")
        else:
            hows.setdefault(UNKNOWN, f"{name}: {found.rstrip('.')}")
    if UNKNOWN in hows:
        return UNKNOWN, hows[UNKNOWN]
    return (
        (", ".join(sorted(hows)), next(iter(hows.values()))) if hows else (UNKNOWN, "there is no other node")
    )


def _served(node: NodeView) -> tuple[str, str]:
    """Who translates Services on a node: kube-proxy's rules, in a mode that can be read, or others."""
    if node.rules.mode == "none":
        return UNKNOWN, "no rules of kube-proxy: something else, maybe before there is a packet"
    return f"kube-proxy ({node.rules.mode})", "by its rules"


def _mtu(node: NodeView) -> tuple[str, str]:
    uplink = route_to(EVERYWHERE, node.wiring.routes)
    ends = [link for link in node.wiring.links if link.kind in ("veth", "netkit") and link.mtu]
    sizes = sorted({link.mtu for link in ends if uplink is None or link.name != uplink.dev})
    return (", ".join(map(str, sizes)) or NOTHING), "by the nodes' ends of their interfaces"


def _pods_of(view: View, node: str) -> list[str]:
    """The IPs of a node's Pods that have one of their own."""
    own = {of.ip for of in view.snapshot.nodes}
    return [pod.ip for pod in view.snapshot.pods if pod.node == node and pod.ip and pod.ip not in own]


def _same(name: str, by_node: Mapping[str, tuple[str, str]]) -> Feature:
    """A feature that is known on every node that has something to tell, and the same there."""
    telling = {node: told for node, told in by_node.items() if told[0] != NOTHING}
    kinds = {kind for kind, _ in telling.values()}
    if len(kinds) == 1 and UNKNOWN not in kinds:
        kind, why = next(iter(telling.values()))
        where = "every node" if len(telling) == len(by_node) else ", ".join(telling)
        return Feature(name, True, f"{kind} on {where} ({why})")
    told = "; ".join(f"{node}: {kind} ({why})" for node, (kind, why) in (telling or by_node).items())
    return Feature(name, False, told)
