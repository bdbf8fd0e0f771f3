"""Who owns an address: Pods, Services, load balancers, nodes and their interfaces, the world outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scripts.ends import end_of, ip_of
from scripts.evidence.links import Wiring
from scripts.evidence.trace import Hop
from scripts.evidence.view import View


@dataclass(frozen=True)
class Directory:
    """Names by IPv4 address, and by a node's "address:port" where that is a node port."""

    names: Mapping[str, str] = field(default_factory=dict)

    def of(self, end: str) -> str:
        """The name of the owner of the address in ``end`` ("ip:port"); empty if it is unknown."""
        return self.names.get(ip_of(end), "")

    def met(self, hops: Iterable[Hop]) -> dict[str, str]:
        """The names of all the owners of addresses in ``hops``, in their order."""
        found: dict[str, str] = {}
        for end in (end for hop in hops for end in (hop.src, hop.dst)):
            for key in (ip_of(end), end):
                if key in self.names:
                    found.setdefault(key, self.names[key])
        return found


def directory_of(view: View, wired: Mapping[str, Wiring]) -> Directory:
    """Everything that the API knows, and the addresses in ``wired`` by their interfaces.

    An address that a node shares with its Pods on the host network is the node's.
    """
    names: dict[str, str] = {}
    for place, wiring in wired.items():
        names |= {str(address.ip.ip): f"{address.dev} of {place}" for address in wiring.addresses}
    names |= {pod.ip: f"Pod {pod.name}" for pod in view.snapshot.pods if pod.ip}
    names |= _services(view) | _routed(view)
    names |= {node.ip: f"node {node.name}" for node in view.snapshot.nodes}
    if world := view.outside:
        names |= {world.outside_ip: "the host beyond the gateway", world.near_ip: "the host beside the nodes"}
        names[world.gateway_ip] = "the gateway, towards the nodes"
        names[world.gateway_outside_ip] = "the gateway, towards the outside"
    return Directory(names)


def _services(view: View) -> dict[str, str]:
    names = {}
    for service in view.snapshot.services.values():
        name = f"Service {service.namespace}/{service.name}"
        if service.cluster_ip not in ("", "None"):
            names[service.cluster_ip] = name
        names |= dict.fromkeys(service.balancer_ips, f"load balancer of {name}")
        for port in service.node_ports.values():
            names |= {end_of(node.ip, port): f"node port of {name}" for node in view.snapshot.nodes}
    return names


def _routed(view: View) -> dict[str, str]:
    # An Ingress last: some controllers make a Gateway of each.
    of = {"Gateway": view.snapshot.gateways, "Ingress": view.snapshot.ingresses}
    return {
        ip: f"load balancer of {kind} {namespace}/{name}"
        for kind, advertised in of.items()
        for (namespace, name), ips in advertised.items()
        for ip in ips
    }
