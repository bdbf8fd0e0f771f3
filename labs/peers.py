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
    """A host that is no node of the cluster: it shares only the nodes' network."""

    def __str__(self) -> str:
        return "outside"


Source = Client | Container | Outside

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
class Node:
    """A worker node's own IP, ``index`` counts nodes by name."""

    port: int
    index: int = 0

    def __str__(self) -> str:
        return f"node {self.index + 1}:{self.port}"


@dataclass(frozen=True)
class Name:
    """A DNS name as typed."""

    name: str
    port: int = 80

    def __str__(self) -> str:
        return self.name


Destination = Localhost | Pod | Service | Balancer | Ingress | Node | Name
