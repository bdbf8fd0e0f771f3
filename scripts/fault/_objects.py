"""Damage to API objects that several faults share."""

from __future__ import annotations

from ipaddress import IPv4Network

from scripts.fault._acts import make
from scripts.fault._base import Act, Site


def extra_slice(site: Site, lab: str, service: str, name: str, ip: str, port: int = 80) -> Act:
    """An EndpointSlice of our own beside the Service's: one ready address for one of its ports."""
    namespace = site.view.namespace(lab)
    of = next(one for one in site.view.service(lab, service).ports if one.port == port)
    return make(
        site,
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}],
            "ports": [{"name": of.name, "port": port, "protocol": "TCP"}],
        },
    )


def unused(site: Site, worker: int, count: int = 1) -> list[str]:
    """Addresses in a worker's Pod range that no Pod has."""
    taken = {pod.ip for pod in site.view.snapshot.pods}
    hosts = [str(ip) for ip in IPv4Network(site.range(worker)).hosts()]
    return [ip for ip in reversed(hosts) if ip not in taken][:count]


def halves(network: str) -> list[str]:
    """The two halves of a range: their routes are longer than the one for the whole of it."""
    return [str(half) for half in IPv4Network(network).subnets()]
