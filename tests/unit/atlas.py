"""The made-up cluster as its API has it: three nodes, the labs, the platform, the world outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scripts.evidence.snapshot import Snapshot, snapshot_of
from scripts.evidence.view import View
from scripts.evidence.world import OutsideWorld

CLUSTER_IP, BALANCER_IP, INGRESS_IP, GATEWAY_IP = "10.96.0.80", "172.18.0.6", "172.18.0.7", "172.18.0.8"
NODES = {"control": "172.18.0.4", "worker-a": "172.18.0.2", "worker-b": "172.18.0.3"}
NOT_HERE = frozenset({"K8-follows"})
"""The probes that it has nobody for: no engine enforces NetworkPolicies there."""
CIDRS = {"control": "10.244.0.0/24", "worker-a": "10.244.1.0/24", "worker-b": "10.244.2.0/24"}
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
BRIDGES = {node: cidr.replace(".0/24", ".1") for node, cidr in CIDRS.items()}
OUTSIDE = OutsideWorld(
    "podpath-outside",
    "198.18.0.2",
    "podpath-near",
    "172.18.0.20",
    "podpath-gateway",
    "172.18.0.21",
    "198.18.0.3",
    "podpath-host",
    "podpath-fence-podpath",
    ("podpath-net", "podpath-out"),
)
OUTSIDE_IP = OUTSIDE.outside_ip
POD_NS, CHAIN_NS, SERVICE_NS, EGRESS_NS, L4_NS, INGRESS_NS, PITFALLS_NS = (
    f"podpath-{lab}"
    for lab in (
        "container-to-container", "pod-to-pod", "pod-to-service", "egress", "ingress-l4", "ingress-l7",
        "pitfalls",
    )
)  # fmt: skip
PODS = {  # name: (namespace, app, ip, node, containers)
    "frontend": (POD_NS, "", "10.244.1.2", "worker-a", "nginx webapp"),
    "front-1": (CHAIN_NS, "frontend", "10.244.1.10", "worker-a", "nginx webapp"),
    "rest-1": (CHAIN_NS, "rest", "10.244.1.11", "worker-a", "rest"),
    "database-0": (CHAIN_NS, "database", "10.244.2.10", "worker-b", "database"),
    "frontend-1": (SERVICE_NS, "frontend", "10.244.1.3", "worker-a", "nginx webapp"),
    "frontend-2": (SERVICE_NS, "frontend", "10.244.2.3", "worker-b", "nginx webapp"),
    "frontend-3": (SERVICE_NS, "frontend", "10.244.2.4", "worker-b", "nginx webapp"),
    "frontend-4": (SERVICE_NS, "frontend", "10.244.1.4", "worker-a", "nginx webapp"),
    "peer-0": (SERVICE_NS, "peer", "10.244.1.5", "worker-a", "nginx"),
    "peer-1": (SERVICE_NS, "peer", "10.244.2.5", "worker-b", "nginx"),
    "spare": (SERVICE_NS, "spare", "10.244.1.7", "worker-a", "nginx"),
    "spare-ready": (SERVICE_NS, "spare-ready", "10.244.1.8", "worker-a", "nginx"),
    "traveller-1": (EGRESS_NS, "traveller", "10.244.1.12", "worker-a", "nginx"),
    "web-1": (L4_NS, "web", "10.244.1.13", "worker-a", "nginx webapp"),
    "shop-1": (INGRESS_NS, "shop", "10.244.1.6", "worker-a", "nginx webapp"),
    "blog-1": (INGRESS_NS, "blog", "10.244.2.6", "worker-b", "nginx webapp"),
    "server-1": (PITFALLS_NS, "server", "10.244.1.14", "worker-a", "nginx"),
    "server-2": (PITFALLS_NS, "server", "10.244.2.14", "worker-b", "nginx"),
    "server-3": (PITFALLS_NS, "server", "10.244.1.17", "worker-a", "nginx"),
    "datagram-1": (PITFALLS_NS, "datagram", "10.244.1.18", "worker-a", "datagram"),
    "datagram-2": (PITFALLS_NS, "datagram", "10.244.2.18", "worker-b", "datagram"),
    "datagram-3": (PITFALLS_NS, "datagram", "10.244.2.19", "worker-b", "datagram"),
    **{
        f"{name}-{n}": (PITFALLS_NS, name, f"10.244.1.{start + n}", "worker-a", "nginx")
        for name, start in (("graceful", 20), ("abrupt", 30))
        for n in range(1, 5)
    },
    "lone-1": (PITFALLS_NS, "lone", "10.244.1.15", "worker-a", "nginx"),
    "guarded-1": (PITFALLS_NS, "guarded", "10.244.1.16", "worker-a", "nginx"),
    "guarded-2": (PITFALLS_NS, "guarded", "10.244.2.16", "worker-b", "nginx"),
    "client-a": ("podpath-system", "client", "10.244.1.9", "worker-a", "client nginx"),
    "client-b": ("podpath-system", "client", "10.244.2.9", "worker-b", "client nginx"),
    **{f"agent-{n}": ("podpath-system", "node-agent", ip, n, "node-agent") for n, ip in NODES.items()},
    **{f"proxy-{n}": ("kube-system", "", ip, n, "kube-proxy") for n, ip in NODES.items()},
}
SUCCESSORS = {(SERVICE_NS, "frontend"): "frontend-4"}
SUCCESSORS |= {(PITFALLS_NS, name): f"{name}-3" for name in ("server", "datagram")}
"""The Pod that takes a deleted one's place, by namespace and app."""
ROLLED = {name: tuple(f"{name}-{n}" for n in range(1, 5)) for name in ("graceful", "abrupt")}
"""Deployments that can be rolled: the first two Pods are those of the first template."""
NEW = {*SUCCESSORS.values(), *(pod for pods in ROLLED.values() for pod in pods[2:])}
"""Pods that the API does not have at first."""
SERVICES = {  # (namespace, name): (clusterIP, load balancer's IP, app selected, ports)
    (CHAIN_NS, "frontend"): ("10.96.0.60", "", "frontend", (80,)),
    (CHAIN_NS, "rest"): ("10.96.0.61", "", "rest", (8000,)),
    (CHAIN_NS, "database"): ("None", "", "database", (5432,)),
    (SERVICE_NS, "frontend"): (CLUSTER_IP, BALANCER_IP, "frontend", (80, 8080)),
    (SERVICE_NS, "peer"): ("None", "", "peer", (80,)),
    (L4_NS, "web-cluster"): ("10.96.0.90", "172.18.0.10", "web", (80, 8080)),
    (L4_NS, "web-local"): ("10.96.0.91", "172.18.0.11", "web", (80, 8080)),
    (INGRESS_NS, "shop"): ("10.96.0.70", "", "shop", (80,)),
    (INGRESS_NS, "blog"): ("10.96.0.71", "", "blog", (80,)),
    (PITFALLS_NS, "server"): ("10.96.0.50", "", "server", (80,)),
    (PITFALLS_NS, "sticky"): ("10.96.0.51", "", "server", (80,)),
    (PITFALLS_NS, "brief"): ("10.96.0.54", "", "server", (80,)),
    (PITFALLS_NS, "near"): ("10.96.0.52", "", "server", (80,)),
    (PITFALLS_NS, "datagram"): ("10.96.0.55", "", "datagram", (5300,)),
    (PITFALLS_NS, "graceful"): ("10.96.0.56", "", "graceful", (80,)),
    (PITFALLS_NS, "abrupt"): ("10.96.0.57", "", "abrupt", (80,)),
    (PITFALLS_NS, "lone"): ("10.96.0.53", "", "lone", (80,)),
}
LOCAL = {(PITFALLS_NS, "near"), (PITFALLS_NS, "lone")}
"""Services with internalTrafficPolicy Local."""
BRIEF = (PITFALLS_NS, "brief")
STICKY = {(PITFALLS_NS, "sticky"), BRIEF}
"""Services with sessionAffinity ClientIP."""
UDP = {(PITFALLS_NS, "datagram")}
"""Services of UDP ports."""
CONTAINERS = {80: "nginx", 8080: "webapp", 8000: "rest", 5432: "database", 5300: "datagram"}
ROUTES = {("shop.podpath.test", ""): "shop", ("blog.podpath.test", ""): "blog"}
ROUTES |= {("www.podpath.test", "/shop"): "shop", ("www.podpath.test", "/blog"): "blog"}
OLD, YOUNG = "2020-07-30T00:00:00Z", "2020-07-30T00:00:12Z"
CREATED = dict.fromkeys(("frontend-1", "frontend-2", "peer-0", "peer-1"), OLD)
"""Pods that are older than the Services; all others are younger."""


def service_of_ip(ip: str) -> tuple[str, str]:
    """The Service with this clusterIP or load balancer's IP, or two empty texts."""
    return next((key for key, told in SERVICES.items() if ip and ip in told[:2]), ("", ""))


def node_port(key: tuple[str, str], port: int) -> int:
    """The node port of a Service's port, 0 without one."""
    balanced = [each for each, told in SERVICES.items() if told[1] or each in UDP]
    return 30000 + 100 * balanced.index(key) + (1 if port == 80 else 2) if key in balanced else 0


def pod_json(name: str, app: str | None = None) -> dict[str, Any]:
    namespace, own, ip, node, containers = PODS[name]
    labels = {"app": own if app is None else app}
    if namespace == "kube-system":
        labels = {"k8s-app": "kube-proxy"}
    return {
        "metadata": {
            "namespace": namespace, "name": name, "uid": f"uid-{name}", "labels": labels,
            "creationTimestamp": CREATED.get(name, YOUNG),
        },
        "spec": {"nodeName": node, "containers": [{"name": container} for container in containers.split()]},
        "status": {"podIP": ip, "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }  # fmt: skip


def protocol(key: tuple[str, str]) -> str:
    """That of a Service's ports."""
    return "UDP" if key in UDP else "TCP"


def slice_json(key: tuple[str, str], pods: Iterable[str], unready: Iterable[str] = ()) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": key[0], "name": f"{key[1]}-x7k2p", "labels": {"kubernetes.io/service-name": key[1]},
        },
        "ports": [{"name": f"p{port}", "port": port, "protocol": protocol(key)} for port in SERVICES[key][3]],
        "endpoints": [
            {
                "addresses": [PODS[pod][2]], "nodeName": PODS[pod][3], "targetRef": {"name": pod},
                "conditions": {"ready": pod not in {*unready}},
            }
            for pod in pods
        ],
    }  # fmt: skip


def service_json(key: tuple[str, str], cluster_ip: str = "", selects: str = "") -> dict[str, Any]:
    ip, balancer, app, ports = SERVICES[key]
    told = [
        {"name": f"p{port}", "port": port, "protocol": protocol(key)}
        | ({"nodePort": number} if (number := node_port(key, port)) else {})
        for port in ports
    ]
    return {
        "metadata": {
            "namespace": key[0],
            "name": key[1],
            "creationTimestamp": OLD.replace("00Z", "01Z"),
        },
        "spec": {
            "type": "LoadBalancer" if balancer else "ClusterIP",
            "clusterIP": cluster_ip or ip, "ports": told, "selector": {"app": selects or app},
            "internalTrafficPolicy": "Local" if key in LOCAL else "Cluster",
            "sessionAffinity": "ClientIP" if key in STICKY else "None",
        },
        "status": {"loadBalancer": {"ingress": [{"ip": balancer}] if balancer else []}},
    }  # fmt: skip


def behind(key: tuple[str, str]) -> list[str]:
    """The Pods that a Service selects at first."""
    wanted = (key[0], SERVICES[key][2])
    return [name for name, told in PODS.items() if told[:2] == wanted and name not in NEW]


def snapshot(workers: int = 2) -> Snapshot:
    """The API's view of the cluster at first, also of one with fewer workers."""
    return snapshot_of(*lists(workers))


def lists(workers: int = 2) -> list[list[Any]]:
    """The API's own lists: see ``scripts.clusters.base.LISTS``."""
    kept = [*NODES][: workers + 1]
    nodes: list[Any] = [
        {
            "metadata": {
                "name": name,
                "labels": {} if n else {"node-role.kubernetes.io/control-plane": ""},
            },
            "spec": {"podCIDR": CIDRS[name], "taints": [] if n else [CONTROL_PLANE_TAINT]},
            "status": {"addresses": [{"type": "InternalIP", "address": NODES[name]}], "conditions": []},
        }
        for n, name in enumerate(kept)
    ]
    front = {"metadata": {"namespace": INGRESS_NS, "name": "frontend"}}
    points = {"loadBalancer": {"ingress": [{"ip": INGRESS_IP}, {"ip": "fc00::7"}]}}
    return [
        nodes,
        [pod_json(name) for name in PODS if PODS[name][3] in kept and name not in NEW],
        [service_json(key) for key in SERVICES],
        [slice_json(key, [pod for pod in behind(key) if PODS[pod][3] in kept]) for key in SERVICES],
        [{**front, "status": points}],
        [{**front, "status": {"addresses": [{"value": GATEWAY_IP}, {"value": "fc00::8"}]}}],
    ]


def _exported(lab: str, pods: dict[str, str], services: str = "", **more: Any) -> dict[str, Any]:
    namespace = f"podpath-{lab}"
    return {
        "namespace": namespace,
        "pods": {name: dict([where.split(":")]) for name, where in pods.items()},
        "services": {
            name: {"ports": {f"p{port}": port for port in SERVICES[namespace, name][3]}}
            for name in services.split()
        },
        "ingresses": {},
        **more,
    }


def _deployed(*names: str) -> dict[str, str]:
    return {name: f"selector:app={name}" for name in names}


SPARES = {name: f"name:{name}" for name in ("spare", "spare-ready")}
_HOSTS = {
    "hosts": {
        host: {path or "/": to for (at, path), to in ROUTES.items() if at == host} for host, _ in ROUTES
    }
}
EXPORTS: dict[str, Any] = {
    "frontendIp": BALANCER_IP,
    "labs": {
        "container-to-container": _exported("container-to-container", {"frontend": "name:frontend"}),
        "pod-to-pod": _exported(
            "pod-to-pod", _deployed("frontend", "rest", "database"), "frontend rest database"
        ),
        "pod-to-service": _exported(
            "pod-to-service", _deployed("frontend", "peer") | SPARES, "frontend peer"
        ),
        "egress": _exported("egress", _deployed("traveller")),
        "ingress-l4": _exported("ingress-l4", _deployed("web"), "web-cluster web-local"),
        "ingress-l7": _exported(
            "ingress-l7", _deployed("shop", "blog"), "shop blog", ingresses={"frontend": _HOSTS}
        ),
        "pitfalls": _exported(
            "pitfalls",
            _deployed("server", "lone", "guarded", "datagram", "graceful", "abrupt"),
            "server sticky brief near lone datagram graceful abrupt",
        ),
    },
    "platform": {
        "namespace": "podpath-system",
        "agent": {"selector": "app=node-agent"},
        "client": {"selector": "app=client"},
    },
}  # fmt: skip


def view(workers: int = 2) -> View:
    """The world as the probes see it at first."""
    return View(snapshot(workers), EXPORTS, "kind", OUTSIDE)
