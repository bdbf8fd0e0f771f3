"""The ends of a path, and how a workload that is one of them says who it is and whom it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HEADER_POD = "X-Podpath-Pod"
HEADER_NODE = "X-Podpath-Node"
HEADER_CONTAINER = "X-Podpath-Container"
HEADER_PEER = "X-Podpath-Peer"
HEADER_NONCE = "X-Podpath-Nonce"
HEADER_UPSTREAM_PEER = "X-Podpath-Upstream-Peer"
HEADER_FORWARDED_FOR = "X-Podpath-Forwarded-For"


@dataclass(frozen=True)
class Client:
    """The curl Pod that the platform runs on every worker node; ``index`` counts nodes by name."""

    index: int = 0

    def __str__(self) -> str:
        return f"client-{self.index + 1}"


@dataclass(frozen=True)
class Container:
    """A container of a lab's Pod; of several Pods the first by name."""

    lab: str
    workload: str
    container: str

    def __str__(self) -> str:
        return f"{self.workload}/{self.container}"


@dataclass(frozen=True)
class Outside:
    """A host that is no node of the cluster: it lives beyond the gateway, on a network of its own."""

    def __str__(self) -> str:
        return "outside"


@dataclass(frozen=True)
class OnNode:
    """A worker node itself: its own network namespace, ``index`` counts nodes by name."""

    index: int = 0

    def __str__(self) -> str:
        return f"node-{self.index + 1}"


@dataclass(frozen=True)
class KubeProxy:
    """The kube-proxy of the first worker node."""

    def __str__(self) -> str:
        return "kube-proxy"


Source = Client | Container | Outside | OnNode | KubeProxy

Where = Literal["same node", "other node", "any node"]


@dataclass(frozen=True)
class Localhost:
    """The source's own loopback address, 127.0.0.1."""

    port: int

    def __str__(self) -> str:
        return f"localhost:{self.port}"


@dataclass(frozen=True)
class Pod:
    """One Pod of a workload by its own IP, chosen by where it runs as seen from the source."""

    lab: str
    workload: str
    port: int
    where: Where = "any node"

    def __str__(self) -> str:
        place = "" if self.where == "any node" else f" on the {self.where.replace(' node', '')} node"
        return f"Pod {self.workload}:{self.port}{place}"


@dataclass(frozen=True)
class Service:
    """A Service by its clusterIP or by its DNS name."""

    lab: str
    service: str
    port: int
    by: Literal["clusterIP", "name"] = "clusterIP"

    def __str__(self) -> str:
        return f"Service {self.service}:{self.port} by {self.by}"


@dataclass(frozen=True)
class Balancer:
    """A Service's load balancer by the IP that the Service's status advertises."""

    lab: str
    service: str
    port: int

    def __str__(self) -> str:
        return f"load balancer of {self.service}:{self.port}"


@dataclass(frozen=True)
class Ingress:
    """An Ingress by the IP that its status advertises; ``host`` goes into the Host header."""

    lab: str
    ingress: str
    host: str
    port: int = 80

    def __str__(self) -> str:
        return f"Ingress {self.ingress} as {self.host}"


@dataclass(frozen=True)
class Gateway:
    """A Gateway by the IP that its status advertises; ``host`` goes into the Host header."""

    lab: str
    gateway: str
    host: str
    port: int = 80

    def __str__(self) -> str:
        return f"Gateway {self.gateway} as {self.host}"


@dataclass(frozen=True)
class Node:
    """A worker node's own IP, ``index`` counts nodes by name; ``where`` counts from the source."""

    port: int
    index: int = 0
    where: Where = "any node"

    def __str__(self) -> str:
        which = {"same node": "its own node", "other node": "another node"}
        return f"{which.get(self.where, f'node {self.index + 1}')}:{self.port}"


At = Literal["node with a Pod", "node without a Pod", "control plane"]


@dataclass(frozen=True)
class NodePort:
    """A Service's node port on a node, chosen by whether a Pod of the Service runs there."""

    lab: str
    service: str
    port: int
    at: At

    def __str__(self) -> str:
        return f"node port of {self.service}:{self.port} on the {self.at}"


@dataclass(frozen=True)
class Host:
    """A server outside the cluster: ``near`` on the nodes' network, ``outside`` beyond the gateway."""

    name: Literal["near", "outside"]
    port: int = 80

    def __str__(self) -> str:
        return "the server on the nodes' network" if self.name == "near" else "the server beyond the gateway"


@dataclass(frozen=True)
class Name:
    """A DNS name as typed."""

    name: str
    port: int = 80

    def __str__(self) -> str:
        return self.name


Destination = Localhost | Pod | Service | Balancer | Ingress | Gateway | Node | NodePort | Host | Name
