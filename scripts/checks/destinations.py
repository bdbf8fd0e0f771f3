"""The ends of a path to which a probe goes, and how the address of each is found in a cluster."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

from scripts.checks.peers import Destination, Target, Where, answering, worker
from scripts.evidence.snapshot import DOMAIN
from scripts.evidence.view import MissingPeer, NotHere, View
from scripts.tiers import Tier
from scripts.transport.executor import Place

At = Literal["node with a Pod", "node without a Pod", "control plane"]


@dataclass(frozen=True)
class Localhost(Destination):
    """The source's own loopback address, 127.0.0.1."""

    port: int

    def __str__(self) -> str:
        return f"localhost:{self.port}"

    def target(self, place: Place, view: View) -> Target:
        """127.0.0.1."""
        return Target("127.0.0.1", self.port, ("127.0.0.1",))


@dataclass(frozen=True)
class Pod(Destination):
    """One Pod of a workload by its own IP, chosen by where it runs as seen from the source."""

    dual: ClassVar[bool] = True

    lab: str
    workload: str
    port: int
    where: Where = "any node"

    def __str__(self) -> str:
        place = "" if self.where == "any node" else f" on the {self.where.replace(' node', '')} node"
        return f"Pod {self.workload}:{self.port}{place}"

    def target(self, place: Place, view: View) -> Target:
        """The first Pod by name that runs there."""
        for pod in view.pods(self.lab, self.workload):
            if self.where == "any node" or (pod.node == place.node) == (self.where == "same node"):
                return Target(pod.ip, self.port, (pod.ip,), pod=pod, lab=self.lab)
        for node in view.snapshot.workers:
            if (node.name == place.node) == (self.where == "same node"):
                answering(view, node.name)
        raise NotHere(f"no Pod of {self.workload} runs on the {self.where}, seen from {place.node}")


@dataclass(frozen=True)
class Service(Destination):
    """A Service by its clusterIP or by its DNS name."""

    dual: ClassVar[bool] = True

    lab: str
    service: str
    port: int
    by: Literal["clusterIP", "name"] = "clusterIP"

    def __str__(self) -> str:
        return f"Service {self.service}:{self.port} by {self.by}"

    def target(self, place: Place, view: View) -> Target:
        """The clusterIP, or the name that has to resolve to it."""
        service = view.service(self.lab, self.service)
        if service.cluster_ip in ("", "None"):
            raise MissingPeer(f"the Service {self.service} has no clusterIP")
        address = service.full_name if self.by == "name" else service.cluster_ip
        family = view.snapshot.family if len(view.snapshot.families) > 1 else 0
        return Target(address, self.port, (service.cluster_ip,), service=service, lab=self.lab, family=family)


@dataclass(frozen=True)
class Balancer(Destination):
    """A Service's load balancer by the IP that the Service's status advertises."""

    tier: ClassVar[Tier] = Tier.DOORS

    lab: str
    service: str
    port: int

    def __str__(self) -> str:
        return f"load balancer of {self.service}:{self.port}"

    def target(self, place: Place, view: View) -> Target:
        """The first IP that is advertised."""
        service = view.service(self.lab, self.service)
        if service.kind != "LoadBalancer":
            raise NotHere(f"stack {view.stack} has no load balancers: {self.service} is a {service.kind}")
        if not service.balancer_ips and service.balancer_names:
            raise NotHere(f"{self.service} advertises {service.balancer_names[0]}, a name and no IP")
        if not service.balancer_ips:
            look = f"kubectl -n {service.namespace} describe service {service.name}"
            raise MissingPeer(f"the Service {self.service} advertises no load balancer: look with {look}")
        ip = service.balancer_ips[0]
        return Target(ip, self.port, (ip,), service=service, lab=self.lab, proxy=True)


@dataclass(frozen=True)
class Ingress(Destination):
    """An Ingress by the IP that its status advertises; ``host`` goes into the Host header."""

    tier: ClassVar[Tier] = Tier.DOORS

    lab: str
    ingress: str
    host: str
    port: int = 80

    def __str__(self) -> str:
        return f"Ingress {self.ingress} as {self.host}"

    def target(self, place: Place, view: View) -> Target:
        """The first IP that is advertised."""
        _made("Ingress", view.lab(self.lab)["ingresses"], self.ingress, view)
        ips = view.snapshot.ingresses.get((view.namespace(self.lab), self.ingress), ())
        return _advertised("ingress", self.ingress, ips, self, view)


@dataclass(frozen=True)
class Gateway(Destination):
    """A Gateway by the IP that its status advertises; ``host`` goes into the Host header."""

    tier: ClassVar[Tier] = Tier.DOORS

    lab: str
    gateway: str
    host: str
    port: int = 80

    def __str__(self) -> str:
        return f"Gateway {self.gateway} as {self.host}"

    def target(self, place: Place, view: View) -> Target:
        """The first IP that is advertised."""
        exports = view.lab(self.lab)
        _made("Gateway", exports.get("gateways", exports["ingresses"]), self.gateway, view)
        ips = view.snapshot.gateways.get((view.namespace(self.lab), self.gateway), ())
        return _advertised("gateway", self.gateway, ips, self, view)


def _made(kind: str, exported: Collection[str], name: str, view: View) -> None:
    """Raises NotHere for an object that this stack does not have by choice."""
    if name not in exported:
        raise NotHere(f"stack {view.stack} has no {kind}: its file names no class")


def _advertised(kind: str, name: str, ips: tuple[str, ...], to: Ingress | Gateway, view: View) -> Target:
    if not ips:
        look = f"kubectl -n {view.namespace(to.lab)} describe {kind} {name}"
        raise MissingPeer(f"the {kind.capitalize()} {name} advertises no address: look with {look}")
    return Target(ips[0], to.port, (ips[0],), host=to.host, lab=to.lab, proxy=True)


@dataclass(frozen=True)
class Node(Destination):
    """A worker node's own IP, ``index`` counts nodes by name; ``where`` counts from the source."""

    port: int
    index: int = 0
    where: Where = "any node"

    def __str__(self) -> str:
        which = {"same node": "its own node", "other node": "another node"}
        return f"{which.get(self.where, f'node {self.index + 1}')}:{self.port}"

    def target(self, place: Place, view: View) -> Target:
        """The node's InternalIP."""
        nodes = [worker(view, self.index)]
        if self.where != "any node":
            own = self.where == "same node"
            nodes = [node for node in view.snapshot.workers if (node.name == place.node) == own]
        if not nodes:
            raise NotHere(f"the cluster has no {self.where}, seen from {place.node}")
        answering(view, nodes[0].name)
        return Target(nodes[0].ip, self.port, (nodes[0].ip,))


@dataclass(frozen=True)
class NodePort(Destination):
    """A Service's node port on a node, chosen by whether a Pod of the Service runs there."""

    tier: ClassVar[Tier] = Tier.DOORS

    lab: str
    service: str
    port: int
    at: At
    protocol: Literal["TCP", "UDP"] = "TCP"

    def __str__(self) -> str:
        return f"node port of {self.service}:{self.port} on the {self.at}"

    def target(self, place: Place, view: View) -> Target:
        """The first such node by name."""
        service = view.service(self.lab, self.service)
        port = service.node_port(self.port, self.protocol)
        if not port:
            raise MissingPeer(f"the Service {self.service} has no node port for {self.port}")
        workers = {node.name for node in view.snapshot.workers}
        occupied = {endpoint.node for endpoint in view.endpoints(self.lab, self.service)}
        for node in sorted(view.snapshot.nodes, key=lambda node: node.name):
            at: At = "node with a Pod" if node.name in occupied else "node without a Pod"
            if self.at == ("control plane" if node.name not in workers else at):
                answering(view, node.name)
                return Target(node.ip, port, (node.ip,), service=service, lab=self.lab)
        raise NotHere(f"the cluster has no {self.at} of {self.service}")


@dataclass(frozen=True)
class Host(Destination):
    """A server outside the cluster: ``near`` on the nodes' network, ``outside`` beyond the gateway."""

    name: Literal["near", "outside"]
    port: int = 80

    def __str__(self) -> str:
        return "the server on the nodes' network" if self.name == "near" else "the server beyond the gateway"

    def target(self, place: Place, view: View) -> Target:
        """Its address on its own network."""
        ip = view.world.near_ip if self.name == "near" else view.world.outside_ip
        return Target(ip, self.port, (ip,))


@dataclass(frozen=True)
class Name(Destination):
    """A DNS name as typed; the end of one in ``cluster.local`` stands for the cluster's own domain."""

    name: str
    port: int = 80

    def __str__(self) -> str:
        return self.name

    def target(self, place: Place, view: View) -> Target:
        """The name itself: the source resolves it."""
        own = self.name.removesuffix(DOMAIN) + view.domain if self.name.endswith(f".{DOMAIN}") else self.name
        return Target(own, self.port)
