"""A Service's EndpointSlices name an address that is no Pod's, or one of a Pod that it does not select."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Scene
from scripts.causes.told import looks_up
from scripts.evidence.dnsask import SERVICE
from scripts.evidence.snapshot import Endpoint, ServiceInfo


def find(scene: Scene) -> Iterator[Cause]:
    """Each such address behind a Service that some red asks, and each Service that selects nothing."""
    asked: dict[tuple[str, str], frozenset[str]] = {}
    for key in sorted({red.service for red in scene.reds if red.service}):
        asked[key] = scene.ids(red for red in scene.reds if red.service == key)
    if resolving := scene.ids(filter(looks_up, scene.reds)):
        asked[SERVICE] = resolving
    for key, ids in asked.items():
        service = scene.view.snapshot.services.get(key)
        if service is None or not service.selector:
            continue
        behind = scene.view.snapshot.endpoints.get(key, ())
        selected = [pod for pod in scene.view.snapshot.pods if service.selects(pod)]
        strange = [one for one in behind if one.ip not in {pod.ip for pod in selected}]
        for name in dict.fromkeys(one.slice for one in strange):
            yield from _strangers(scene, service, [one for one in strange if one.slice == name], ids)
        undeployed = key == SERVICE and not scene.view.snapshot.dns_pods  # which is a cause of its own
        if not selected and not undeployed:
            chosen = ",".join(f"{label}={value}" for label, value in service.selector.items())
            yield Cause(
                "selector_empty",
                f"the selector of Service {service.name} selects no Pod",
                (f"no Pod of namespace {service.namespace} has the labels {chosen}",),
                ids,
                look=f"kubectl -n {service.namespace} get pods --show-labels",
                mend=remade(scene),
            )


def _strangers(
    scene: Scene, service: ServiceInfo, strange: list[Endpoint], ids: frozenset[str]
) -> Iterator[Cause]:
    """The addresses of one EndpointSlice that are no Pod's, and those of Pods that are not selected."""
    pods = {pod.ip: pod for pod in scene.view.snapshot.pods if pod.ip}
    for foreign in (False, True):
        ips = [one.ip for one in strange if (one.ip in pods) is foreign]
        if not ips:
            continue
        more = f" and {len(ips) - 3} more" if len(ips) > 3 else ""
        owners = ", ".join(f"Pod {pods[ip].namespace}/{pods[ip].name}" for ip in ips[:3] if foreign)
        which = f" of {owners}, which its selector does not select" if foreign else ", which is no Pod's"
        words = f"EndpointSlice {strange[0].slice} names {', '.join(ips[:3])}{more}{which}"
        yield Cause(
            "foreign_endpoint" if foreign else "dead_endpoint",
            f"Service {service.name} sends to a wrong address: {words}",
            (f"{words}; its selector: {dict(service.selector or {})}",),
            ids,
            node=pods[ips[0]].node if foreign else "",
            look=f"kubectl -n {service.namespace} get endpointslice {strange[0].slice} -o yaml",
            mend=f"kubectl -n {service.namespace} delete endpointslice {strange[0].slice}",
        )
