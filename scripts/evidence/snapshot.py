"""What the API server says about a cluster, read once per run: plain records from its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from scripts.ends import family_of

EPOCH = datetime.fromtimestamp(0, UTC)
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
DOMAIN = "cluster.local"
"""The DNS domain of most clusters."""
KEPT_OUT = ("NoSchedule", "NoExecute")
PASSING = "node.kubernetes.io/"
"""How the taints begin that tell of a node's condition: a worker that is not ready is a worker still."""
Json = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


def _first(addresses: Sequence[str], family: int) -> str:
    """The first address of a family; empty without one."""
    return next((one for one in addresses if family_of(one) == family), "")


@dataclass(frozen=True)
class NodeInfo:
    """A node; ``ip`` is its InternalIP. ``kept_out`` is the taint that keeps Pods away from it, or empty."""

    name: str
    ip: str
    pod_cidr: str
    control_plane: bool
    ready: bool
    kept_out: str = ""
    system: str = "linux"
    """Its operating system (``kubernetes.io/os``)."""
    families: tuple[str, ...] = ()
    """``IPv4``, ``IPv6`` or both, by its addresses."""
    ips: tuple[str, ...] = ()
    """All its InternalIPs."""
    pod_cidrs: tuple[str, ...] = ()
    """A range of each family."""
    boot: str = ""
    """Which start of which kernel it runs on (boot_id): nodes of one have one clock. Empty: not told."""


@dataclass(frozen=True)
class PodInfo:
    """A Pod. ``restarts`` is the sum over its containers; ``ips`` has one address of each family."""

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
    ips: tuple[str, ...] = ()
    created: datetime = EPOCH
    """When, as the API server has it: to the second (metav1.Time)."""


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service; ``protocol`` is TCP, UDP or SCTP, ``node_port`` 0 for none."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    node_port: int = 0


@dataclass(frozen=True)
class ServiceInfo:
    """A Service; ``cluster_ip`` is "None" for a headless one. ``selector`` is None where it has none.

    ``local``: internalTrafficPolicy Local; ``sticky``: sessionAffinity ClientIP. ``balancer_names`` are the
    names that stand where others advertise an IP.
    """

    namespace: str
    name: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]
    balancer_ips: tuple[str, ...] = ()
    selector: Mapping[str, str] | None = None
    local: bool = False
    sticky: bool = False
    created: datetime = EPOCH
    kind: str = "ClusterIP"
    """Its type."""
    balancer_names: tuple[str, ...] = ()
    domain: str = DOMAIN
    cluster_ips: tuple[str, ...] = ()
    """One of each family that it has."""

    @property
    def node_ports(self) -> dict[int, int]:
        """The node ports of its TCP ports, by port."""
        return {of.port: of.node_port for of in self.ports if of.node_port and of.protocol == "TCP"}

    def node_port(self, port: int, protocol: str) -> int:
        """The node port of one of its ports, 0 without one."""
        ports = (of.node_port for of in self.ports if (of.port, of.protocol) == (port, protocol))
        return next(ports, 0)

    @property
    def headless(self) -> bool:
        """Whether it has no clusterIP (``clusterIP: None``, or type ExternalName)."""
        return self.cluster_ip in ("", "None")

    @property
    def full_name(self) -> str:
        """Its name in the cluster's DNS."""
        return f"{self.name}.{self.namespace}.svc.{self.domain}"

    def selects(self, pod: PodInfo) -> bool:
        """Whether its selector selects a Pod; one without a selector selects none."""
        selector = self.selector or {}
        return bool(selector) and pod.namespace == self.namespace and selector.items() <= pod.labels.items()


@dataclass(frozen=True)
class EndpointPort:
    """A port of an EndpointSlice: which of the Service's ports it is for, and where it leads to."""

    name: str
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class Endpoint:
    """An address behind a Service, as one of its EndpointSlices has it.

    ``serving``: it would answer although it is terminating; kube-proxy falls back to these if none is ready.
    """

    ip: str
    pod: str
    ready: bool
    node: str = ""
    slice: str = ""
    ports: tuple[EndpointPort, ...] = ()
    serving: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The API's view at one moment, by the addresses of one family.

    A cluster may have two (dual-stack, KEP-563): then it is first seen by the family of its nodes' first
    addresses, and ``in_family`` gives the other one. ``beside`` are the endpoints of the other family.
    """

    nodes: tuple[NodeInfo, ...] = ()
    pods: tuple[PodInfo, ...] = ()
    services: Mapping[Key, ServiceInfo] = field(default_factory=dict)
    endpoints: Mapping[Key, tuple[Endpoint, ...]] = field(default_factory=dict)
    ingresses: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    gateways: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    beside: Mapping[Key, tuple[Endpoint, ...]] = field(default_factory=dict)

    @property
    def family(self) -> int:
        """The version of IP of the addresses by which it is seen: 4 or 6."""
        return family_of(self.nodes[0].ip) if self.nodes else 4

    @property
    def families(self) -> frozenset[int]:
        """The versions of IP of which every node has an address."""
        of = [frozenset(map(family_of, node.ips or (node.ip,))) for node in self.nodes]
        return frozenset.intersection(*of) if of else frozenset((4,))

    def in_family(self, family: int) -> Snapshot:
        """The same by the addresses of the other family: what has none of it has an empty one.

        What load balancers, Ingresses and Gateways advertise is seen by IPv4 only.
        """
        if family == self.family:
            return self
        services = {key: _service_in(service, family) for key, service in self.services.items()}
        return Snapshot(
            tuple(
                replace(node, ip=_first(node.ips, family), pod_cidr=_first(node.pod_cidrs, family))
                for node in self.nodes
            ),
            tuple(replace(pod, ip=_first(pod.ips, family)) for pod in self.pods),
            services,
            endpoints=self.beside,
            beside=self.endpoints,
        )

    def node_ip(self, name: str) -> str:
        """The InternalIP of a node; empty for a place that is no node."""
        return next((node.ip for node in self.nodes if node.name == name), "")

    @property
    def entrances(self) -> dict[str, tuple[str, Key]]:
        """Who advertises which address outside the cluster: by address its kind, and namespace and name."""
        services = {key: service.balancer_ips for key, service in self.services.items()}
        kinds = {"Service": services, "Ingress": self.ingresses, "Gateway": self.gateways}
        return {ip: (kind, key) for kind, of in kinds.items() for key, ips in of.items() for ip in ips}

    @property
    def dns_pods(self) -> list[PodInfo]:
        """The Pods of the cluster's DNS, by the label that every distribution gives them."""
        return [pod for pod in self.pods if pod.labels.get("k8s-app") == "kube-dns"]

    @property
    def boots(self) -> frozenset[str]:
        """The kernels that the nodes run on, as far as they are told: of one there is one clock."""
        return frozenset(node.boot for node in self.nodes if node.boot)

    @property
    def workers(self) -> list[NodeInfo]:
        """The nodes that run labs, by name: Linux, and no taint keeps Pods away."""
        fit = (node for node in self.nodes if not node.kept_out and node.system == "linux")
        return sorted(fit, key=lambda node: node.name)


def snapshot_of(
    nodes: Sequence[Json],
    pods: Sequence[Json],
    services: Sequence[Json],
    slices: Sequence[Json],
    ingresses: Sequence[Json],
    gateways: Sequence[Json] = (),
    *,
    domain: str = DOMAIN,
) -> Snapshot:
    """The records of a cluster from the ``items`` of its lists; ``domain`` is its DNS domain."""
    found = tuple(map(_node, nodes))
    family = Snapshot(found).family
    return Snapshot(
        found,
        tuple(map(pod_of, pods)),
        {(s.namespace, s.name): s for s in (service_of(service, domain) for service in services)},
        endpoints_of(slices, family),
        {_key(ingress): _advertised(ingress) for ingress in ingresses},
        {_key(gateway): _addresses(gateway) for gateway in gateways},
        endpoints_of(slices, 4 if family == 6 else 6),
    )


def _service_in(service: ServiceInfo, family: int) -> ServiceInfo:
    ips = service.cluster_ips or (service.cluster_ip,)
    ip = "None" if "None" in ips else _first(ips, family)
    return replace(service, cluster_ip=ip, balancer_ips=())


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
        ips=tuple(one["ip"] for one in status.get("podIPs") or () if one.get("ip")),
        created=_created(meta),
    )


def service_of(service: Json, domain: str = DOMAIN) -> ServiceInfo:
    """A Service out of its JSON."""
    namespace, name = _key(service)
    spec = service["spec"]
    ports = tuple(
        ServicePort(of["port"], of.get("name", ""), of.get("protocol", "TCP"), of.get("nodePort", 0))
        for of in spec.get("ports") or ()
    )
    return ServiceInfo(
        namespace,
        name,
        spec.get("clusterIP", ""),
        ports,
        _advertised(service),
        spec.get("selector"),
        spec.get("internalTrafficPolicy") == "Local",
        spec.get("sessionAffinity") == "ClientIP",
        _created(service["metadata"]),
        spec.get("type", "ClusterIP"),
        _names(service),
        domain,
        tuple(spec.get("clusterIPs") or ()),
    )


def endpoints_of(slices: Iterable[Json], family: int = 4) -> dict[Key, tuple[Endpoint, ...]]:
    """The endpoints of every Service from its EndpointSlices of one family, sorted by Pod."""
    found: dict[Key, list[Endpoint]] = {}
    for piece in slices:
        if (piece.get("addressType") == "IPv6") != (family == 6):
            continue
        meta = piece["metadata"]
        service = (meta.get("labels") or {}).get("kubernetes.io/service-name")
        if service:
            found.setdefault((meta["namespace"], service), []).extend(_endpoints(piece))
    return {key: tuple(sorted(behind, key=lambda e: (e.pod, e.ip))) for key, behind in found.items()}


def _endpoints(piece: Json) -> Iterator[Endpoint]:
    ports = tuple(
        EndpointPort(of.get("name") or "", of.get("port") or 0, of.get("protocol") or "TCP")
        for of in piece.get("ports") or ()
    )
    for endpoint in piece.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        for address in endpoint.get("addresses") or ():
            yield Endpoint(
                address,
                (endpoint.get("targetRef") or {}).get("name", ""),
                conditions.get("ready") is not False,
                endpoint.get("nodeName", ""),
                piece["metadata"]["name"],
                ports,
                bool(conditions.get("serving")),
            )


def _node(node: Json) -> NodeInfo:
    meta, status = node["metadata"], node.get("status", {})
    addresses = [a["address"] for a in status.get("addresses") or () if a["type"] == "InternalIP"]
    labels = meta.get("labels") or {}
    return NodeInfo(
        name=meta["name"],
        ip=addresses[0] if addresses else "",
        pod_cidr=node["spec"].get("podCIDR", ""),
        control_plane=CONTROL_PLANE in labels,
        ready=_condition(status, "Ready"),
        kept_out=_taint(node["spec"]),
        system=labels.get("kubernetes.io/os", "linux"),
        families=tuple(sorted({"IPv6" if ":" in address else "IPv4" for address in addresses})),
        ips=tuple(addresses),
        pod_cidrs=tuple(node["spec"].get("podCIDRs") or ()),
        boot=(status.get("nodeInfo") or {}).get("bootID", ""),
    )


def _taint(spec: Json) -> str:
    """The first taint that keeps Pods away for good."""
    for taint in spec.get("taints") or ():
        if taint.get("effect") in KEPT_OUT and not taint.get("key", "").startswith(PASSING):
            return str(taint["key"])
    return ""


def _condition(status: Json, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in status.get("conditions") or ())


def _advertised(thing: Json) -> tuple[str, ...]:
    """The IPv4 addresses in ``status.loadBalancer.ingress``."""
    points = (thing.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    return tuple(point["ip"] for point in points if point.get("ip") and ":" not in point["ip"])


def _names(thing: Json) -> tuple[str, ...]:
    """The names in ``status.loadBalancer.ingress`` that have no IP beside them."""
    points = (thing.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    return tuple(point["hostname"] for point in points if point.get("hostname") and not point.get("ip"))


def _addresses(gateway: Json) -> tuple[str, ...]:
    """The IPv4 addresses in a Gateway's ``status.addresses``."""
    points = (gateway.get("status") or {}).get("addresses") or ()
    return tuple(point["value"] for point in points if ":" not in point.get("value", ":"))


def _key(thing: Json) -> Key:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def _created(meta: Json) -> datetime:
    """When an object was created; ``EPOCH`` where it does not say."""
    timestamp = meta.get("creationTimestamp")
    return datetime.fromisoformat(timestamp) if timestamp else EPOCH
