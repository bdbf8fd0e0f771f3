"""What several causes ask of a scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from scripts.causes.scene import Red, Scene
from scripts.ends import ip_of
from scripts.evidence.snapshot import PodInfo, ServiceInfo
from scripts.evidence.trace import Trace

KEPT = ("KUBE-", "cali-", "PODPATH-FENCE", "FLANNEL-", "DOCKER")
"""Chains that a program keeps: deleting a rule there is no way to mend what it follows from."""


def translated(red: Red, node: str, scene: Scene) -> bool:
    """Whether its connections need a node's nat table: to a Service, a node port, or out of the cluster."""
    if red.target is None:
        return False
    ips = {*red.target.ips, red.target.address}
    inside = {pod.ip for pod in scene.view.snapshot.pods}
    if red.node == node:
        return bool(red.service) or not ips & inside
    entered = any(hop.node == node for one in red.tries for hop in one.trace.hops)
    balanced = red.target.service is not None and bool({*red.target.service.balancer_ips} & ips)
    return not red.node and (scene.view.snapshot.node_ip(node) in ips or (balanced and entered))


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the API calls a Pod ready, and it is not being deleted."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def flooded(trace: Trace) -> tuple[str, str]:
    """The node whose bridge sent a request out of several Pods' ports, and the IP it was for; else empty.

    A bridge does that with a frame for an address that it knows no port of, such as one whose port is down.
    """
    out = [hop for hop in trace.hops if hop.way == "request" and hop.direction == "out"]
    ports = Counter((hop.node, hop.dst) for hop in out if hop.interface.kind == "pod")
    (node, address), count = max(ports.items(), key=lambda one: one[1], default=(("", ""), 0))
    return (node, ip_of(address)) if count > 1 else ("", "")


def looks_up(red: Red) -> bool:
    """Whether it asked the cluster's DNS for a name."""
    return red.target is not None and any(map(str.isalpha, red.target.address)) and "." in red.target.address


def service_of(red: Red, scene: Scene) -> ServiceInfo | None:
    """The Service that a red asks, as the API has it now."""
    return scene.view.snapshot.services.get(red.service) if red.service else None


def proxy_pod(scene: Scene, node: str) -> PodInfo | None:
    """The kube-proxy Pod of a node."""
    for pod in scene.view.snapshot.pods:
        if pod.node == node and pod.labels.get("k8s-app") == "kube-proxy":
            return pod
    return None
