"""The part of a run's document that describes the cluster."""

from __future__ import annotations

from dataclasses import asdict

from scripts.clusters.datapaths import kernel_features
from scripts.clusters.features import features_of
from scripts.evidence.nodeview import Kernel
from scripts.evidence.snapshot import ServicePort, Snapshot
from scripts.evidence.view import View
from scripts.runs.document import ClusterRecord, FeatureRecord, NodeRecord, PodRecord, ServiceRecord


def found_in(view: View, kernel: Kernel) -> tuple[FeatureRecord, ...]:
    """What the nodes' kernels show of the cluster."""
    return tuple(FeatureRecord(**asdict(feature)) for feature in kernel_features(view, kernel))


def record_of(view: View) -> ClusterRecord:
    """The cluster's part of a run's document."""
    second = view.snapshot.families - {view.snapshot.family}
    world = asdict(view.outside) if view.outside else {}
    outside = {name: list(value) if isinstance(value, tuple) else value for name, value in world.items()}
    features = [FeatureRecord(**asdict(feature)) for feature in features_of(view)]
    return ClusterRecord(
        nodes=_nodes(view),
        features=features,
        outside=outside,
        pods=_pods(view.snapshot),
        services=_services(view.snapshot),
        entrances=_entrances(view.snapshot),
        other=_by(view.by(*second)) if second else None,
    )


def _by(view: View) -> ClusterRecord:
    """The cluster by the addresses of its second family, as far as it has such."""
    return ClusterRecord(nodes=_nodes(view), pods=_pods(view.snapshot), services=_services(view.snapshot))


def _nodes(view: View) -> list[NodeRecord]:
    return [
        NodeRecord(
            name=node.name,
            ip=node.ip,
            pod_range=node.pod_cidr,
            control_plane=node.control_plane,
            ready=node.ready,
            silent=view.silent.get(node.name, ""),
        )
        for node in view.snapshot.nodes
    ]


def _pods(snapshot: Snapshot) -> list[PodRecord]:
    return [
        PodRecord(
            namespace=pod.namespace,
            name=pod.name,
            ip=pod.ip,
            node=pod.node,
            containers=[*pod.containers],
            ready=pod.ready,
        )
        for pod in snapshot.pods
    ]


def _services(snapshot: Snapshot) -> list[ServiceRecord]:
    return [
        ServiceRecord(
            namespace=service.namespace,
            name=service.name,
            cluster_ip=service.cluster_ip,
            ports=[*map(_port, service.ports)],
            balancer_ips=[*service.balancer_ips],
            endpoints=[
                end.ip for end in snapshot.endpoints.get((service.namespace, service.name), ()) if end.ready
            ],
        )
        for service in snapshot.services.values()
    ]


def _entrances(snapshot: Snapshot) -> dict[str, str]:
    """An address of an Ingress is told as the Ingress's: some controllers make a Gateway of each."""
    of = {"Gateway": snapshot.gateways, "Ingress": snapshot.ingresses}
    return {
        ip: f"{kind} {namespace}/{name}"
        for kind, advertised in of.items()
        for (namespace, name), ips in advertised.items()
        for ip in ips
    }


def _port(port: ServicePort) -> str:
    node_port = f":{port.node_port}" if port.node_port else ""
    return f"{port.port}/{port.protocol}{node_port}"
