"""What the API server says about a cluster, read once a run: plain records out of its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
Json = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class NodeInfo:
    """A node; ``ip`` is its InternalIP."""

    name: str
    ip: str
    pod_cidr: str
    control_plane: bool
    ready: bool


@dataclass(frozen=True)
class PodInfo:
    """A Pod. ``restarts`` is the sum over its containers."""

    namespace: str
    name: str
    uid: str
    ip: str
    node: str
    labels: Mapping[str, str]
    containers: tuple[str, ...]
    ready: bool
    phase: str
    restarts: int
    leaving: bool
    created: str = ""
    """When (RFC 3339, UTC), as the API server has it; such texts sort by time."""


@dataclass(frozen=True)
class ServiceInfo:
    """A Service; ``cluster_ip`` is "None" for a headless one. ``node_ports`` are by port."""

    namespace: str
    name: str
    cluster_ip: str
    ports: Mapping[int, int | str]
    balancer_ips: tuple[str, ...]
    node_ports: Mapping[int, int] = field(default_factory=dict)
    created: str = ""


@dataclass(frozen=True)
class Endpoint:
    """An address behind a Service, as its EndpointSlices have it."""

    ip: str
    pod: str
    ready: bool
    node: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The API's view at one moment."""

    nodes: tuple[NodeInfo, ...] = ()
    pods: tuple[PodInfo, ...] = ()
    services: Mapping[Key, ServiceInfo] = field(default_factory=dict)
    endpoints: Mapping[Key, tuple[Endpoint, ...]] = field(default_factory=dict)
    ingresses: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    gateways: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)

    def node_ip(self, name: str) -> str:
        """The InternalIP of a node; empty for a place that is no node."""
        return next((node.ip for node in self.nodes if node.name == name), "")

    @property
    def workers(self) -> list[NodeInfo]:
        """The nodes that run labs, by name."""
        return sorted((node for node in self.nodes if not node.control_plane), key=lambda node: node.name)


def snapshot_of(
    nodes: Sequence[Json],
    pods: Sequence[Json],
    services: Sequence[Json],
    slices: Sequence[Json],
    ingresses: Sequence[Json],
    gateways: Sequence[Json] = (),
) -> Snapshot:
    """The records of a cluster out of the ``items`` of its lists."""
    return Snapshot(
        tuple(map(_node, nodes)),
        tuple(map(pod_of, pods)),
        {(s.namespace, s.name): s for s in map(service_of, services)},
        endpoints_of(slices),
        {_key(ingress): _advertised(ingress) for ingress in ingresses},
        {_key(gateway): _addresses(gateway) for gateway in gateways},
    )


def pod_of(pod: Json) -> PodInfo:
    """A Pod out of its JSON."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    return PodInfo(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        ip=status.get("podIP", ""),
        node=spec.get("nodeName", ""),
        labels=meta.get("labels") or {},
        containers=tuple(container["name"] for container in spec["containers"]),
        ready=_condition(status, "Ready"),
        phase=status.get("phase", ""),
        restarts=sum(container.get("restartCount", 0) for container in status.get("containerStatuses") or ()),
        leaving="deletionTimestamp" in meta,
        created=meta.get("creationTimestamp", ""),
    )


def service_of(service: Json) -> ServiceInfo:
    """A Service out of its JSON."""
    namespace, name = _key(service)
    spec = service["spec"]
    ports = {port["port"]: port.get("targetPort", port["port"]) for port in spec.get("ports") or ()}
    node_ports = {port["port"]: port["nodePort"] for port in spec.get("ports") or () if "nodePort" in port}
    created = service["metadata"].get("creationTimestamp", "")
    cluster_ip = spec.get("clusterIP", "")
    return ServiceInfo(namespace, name, cluster_ip, ports, _advertised(service), node_ports, created)


def endpoints_of(slices: Sequence[Json]) -> dict[Key, tuple[Endpoint, ...]]:
    """The endpoints of every Service out of all EndpointSlices, sorted by Pod."""
    found: dict[Key, set[Endpoint]] = {}
    for piece in slices:
        meta = piece["metadata"]
        service = (meta.get("labels") or {}).get("kubernetes.io/service-name")
        if not service:
            continue
        behind = found.setdefault((meta["namespace"], service), set())
        for endpoint in piece.get("endpoints") or ():
            pod = (endpoint.get("targetRef") or {}).get("name", "")
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            node = endpoint.get("nodeName", "")
            behind.update(Endpoint(address, pod, ready, node) for address in endpoint.get("addresses") or ())
    return {key: tuple(sorted(behind, key=lambda e: (e.pod, e.ip))) for key, behind in found.items()}


def _node(node: Json) -> NodeInfo:
    meta, status = node["metadata"], node.get("status", {})
    addresses = [a["address"] for a in status.get("addresses") or () if a["type"] == "InternalIP"]
    return NodeInfo(
        name=meta["name"],
        ip=addresses[0] if addresses else "",
        pod_cidr=node["spec"].get("podCIDR", ""),
        control_plane=CONTROL_PLANE in (meta.get("labels") or {}),
        ready=_condition(status, "Ready"),
    )


def _condition(status: Json, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in status.get("conditions") or ())


def _advertised(thing: Json) -> tuple[str, ...]:
    """The IPv4 addresses in ``status.loadBalancer.ingress``."""
    points = (thing.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    return tuple(point["ip"] for point in points if point.get("ip") and ":" not in point["ip"])


def _addresses(gateway: Json) -> tuple[str, ...]:
    """The IPv4 addresses in a Gateway's ``status.addresses``."""
    points = (gateway.get("status") or {}).get("addresses") or ()
    return tuple(point["value"] for point in points if ":" not in point.get("value", ":"))


def _key(thing: Json) -> Key:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]
