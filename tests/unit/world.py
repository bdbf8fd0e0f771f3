"""A made-up cluster: two workers, the three labs, and an executor that answers as the real ones would.

``Lies`` says in which way it should misbehave, so that a test can see the probes notice.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from labs import model
from scripts.probing import sections
from scripts.probing.curl import HEADERS
from scripts.probing.executor import CompletedExec, Place, PodExecError
from scripts.probing.snapshot import Snapshot, snapshot_of
from scripts.probing.view import View

CLUSTER_IP, BALANCER_IP, INGRESS_IP, OUTSIDE_IP = "10.96.0.80", "172.18.0.6", "172.18.0.7", "172.18.0.9"
NODES = {"control": "172.18.0.4", "worker-a": "172.18.0.2", "worker-b": "172.18.0.3"}
SERVICE_NS, POD_NS, INGRESS_NS = (
    "podpath-pod-to-service",
    "podpath-container-to-container",
    "podpath-ingress-l7",
)
PODS = {  # name: (namespace, app, ip, node, containers)
    "frontend": (POD_NS, "", "10.244.1.2", "worker-a", "nginx webapp"),
    "frontend-1": (SERVICE_NS, "frontend", "10.244.1.3", "worker-a", "nginx webapp"),
    "frontend-2": (SERVICE_NS, "frontend", "10.244.2.3", "worker-b", "nginx webapp"),
    "frontend-3": (SERVICE_NS, "frontend", "10.244.2.4", "worker-b", "nginx webapp"),
    "frontend-4": (SERVICE_NS, "frontend", "10.244.1.4", "worker-a", "nginx webapp"),
    "peer-0": (SERVICE_NS, "peer", "10.244.1.5", "worker-a", "nginx"),
    "peer-1": (SERVICE_NS, "peer", "10.244.2.5", "worker-b", "nginx"),
    "shop-1": (INGRESS_NS, "shop", "10.244.1.6", "worker-a", "nginx webapp"),
    "blog-1": (INGRESS_NS, "blog", "10.244.2.6", "worker-b", "nginx webapp"),
    "client-a": ("podpath-system", "client", "10.244.1.9", "worker-a", "client"),
    "client-b": ("podpath-system", "client", "10.244.2.9", "worker-b", "client"),
    **{
        f"agent-{node}": ("podpath-system", "node-agent", ip, node, "node-agent")
        for node, ip in NODES.items()
    },
}
NEW = "frontend-4"
"""The Pod that takes a deleted one's place; until then the API has none of that name."""
BEHIND = {"frontend": ("frontend-1", "frontend-2", "frontend-3"), "peer": ("peer-0", "peer-1")}
ROUTES = {("shop.podpath.test", ""): "shop-1", ("blog.podpath.test", ""): "blog-1"}
ROUTES |= {("www.podpath.test", "/shop"): "shop-1", ("www.podpath.test", "/blog"): "blog-1"}


def pod_json(name: str) -> dict[str, Any]:
    namespace, app, ip, node, containers = PODS[name]
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"uid-{name}",
            "labels": {"app": app},
        },
        "spec": {"nodeName": node, "containers": [{"name": container} for container in containers.split()]},
        "status": {"podIP": ip, "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def slice_json(service: str, pods: Sequence[str]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": SERVICE_NS, "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [
            {"addresses": [PODS[pod][2]], "targetRef": {"name": pod}, "conditions": {"ready": True}}
            for pod in pods
        ],
    }


def service_json(name: str, cluster_ip: str, balancer: str = "") -> dict[str, Any]:
    return {
        "metadata": {"namespace": SERVICE_NS, "name": name},
        "spec": {"clusterIP": cluster_ip, "ports": [{"port": 80}, {"port": 8080}]},
        "status": {"loadBalancer": {"ingress": [{"ip": balancer}] if balancer else []}},
    }


def snapshot(workers: int = 2) -> Snapshot:
    nodes = [
        {
            "metadata": {"name": name, "labels": {} if n else {"node-role.kubernetes.io/control-plane": ""}},
            "spec": {"podCIDR": f"10.244.{n}.0/24"},
            "status": {"addresses": [{"type": "InternalIP", "address": ip}], "conditions": []},
        }
        for n, (name, ip) in enumerate([*NODES.items()][: workers + 1])
    ]
    kept = {node["metadata"]["name"] for node in nodes}  # type: ignore[index]
    return snapshot_of(
        nodes,
        [pod_json(name) for name in PODS if PODS[name][3] in kept and name != NEW],
        [service_json("frontend", CLUSTER_IP, BALANCER_IP), service_json("peer", "None")],
        [
            slice_json(service, [pod for pod in pods if PODS[pod][3] in kept])
            for service, pods in BEHIND.items()
        ],
        [
            {
                "metadata": {"namespace": INGRESS_NS, "name": "frontend"},
                "status": {"loadBalancer": {"ingress": [{"ip": INGRESS_IP}, {"ip": "fc00::7"}]}},
            }
        ],
    )


EXPORTS: dict[str, Any] = {
    "frontendIp": BALANCER_IP,
    "labs": {
        "container-to-container": {"namespace": POD_NS, "pods": {"frontend": {"name": "frontend"}}},
        "pod-to-service": {
            "namespace": SERVICE_NS,
            "pods": {"frontend": {"selector": "app=frontend"}, "peer": {"selector": "app=peer"}},
        },
        "ingress-l7": {
            "namespace": INGRESS_NS,
            "pods": {"shop": {"selector": "app=shop"}, "blog": {"selector": "app=blog"}},
        },
    },
    "platform": {
        "namespace": "podpath-system",
        "agent": {"selector": "app=node-agent"},
        "client": {"selector": "app=client"},
    },
}


def view(workers: int = 2) -> View:
    return View(snapshot(workers), EXPORTS, "kind", "podpath-outside")


@dataclass
class Lies:
    """How the cluster misbehaves. Each entry is the smallest damage that some probe must notice."""

    responder: dict[str, str] = field(default_factory=dict)
    """Asked IP → Pod that answers instead."""
    headers: dict[str, str] = field(default_factory=dict)
    """Header → its false value, on every answer."""
    open: set[tuple[str, int]] = field(default_factory=set)
    """Addresses that answer although they should not."""
    silent: set[str] = field(default_factory=set)
    """IPs that refuse everything."""
    only: str = ""
    """The one Pod that the Service sends everything to."""
    untranslated: bool = False
    untracked: bool = False
    agents_down: bool = False
    listener: str = ""
    lost: set[str] = field(default_factory=set)
    """Containers whose exec dies."""
    dropped: str = ""
    """Probe whose line is missing from curl's report."""
    names: dict[str, str] = field(default_factory=dict)
    bind: str = "8080 Address already in use\n18080 ok\n"
    inode: dict[str, int] = field(default_factory=dict)
    everything_routed: bool = False
    clusterip_after: str = CLUSTER_IP
    never_replaced: bool = False


class World:
    """The executor and the API server of the made-up cluster."""

    def __init__(self, lies: Lies | None = None) -> None:
        self.lies = lies or Lies()
        self.tracked: list[str] = []
        self.execs: list[str] = []
        self.deleted: list[str] = []
        self.patched: list[tuple[str, dict[str, Any]]] = []
        self._ports = itertools.count(40000)
        self._turn = itertools.cycle(BEHIND["frontend"])
        self._after = itertools.cycle((NEW, *BEHIND["frontend"][1:]))

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        self.execs.append(f"{place} {argv[0]}")
        if place.container in self.lies.lost or (self.lies.agents_down and place.container == "node-agent"):
            raise PodExecError("error dialing backend: EOF")
        if argv[0] == "curl":
            groups = [dict(_options(group)) for group in stdin.decode().split("next\n")]
            lines = [self._answer(place, group) for group in groups]
            return CompletedExec(tuple(argv), "".join(lines).encode(), b"", 0, 0.1)
        commands = re.findall(r"begin %s\\n' (\S+); (.+?) 2>&1; printf", argv[2], re.DOTALL)
        out = "".join(self._section(place, key.strip("'"), command) for key, command in commands)
        return CompletedExec(tuple(argv), out.encode(), b"", 0, 0.1)

    def _answer(self, place: Place, group: dict[str, list[str]]) -> str:
        url, host = urlsplit(group["url"][0]), ""
        nonce = group["write-out"][0].split("\\t")[0]
        for header in group["header"]:
            host = header.removeprefix("Host: ") if header.startswith("Host: ") else host
        if self.lies.dropped and nonce.startswith(self.lies.dropped):
            return ""
        name, port = url.hostname or "", url.port or 80
        ip = CLUSTER_IP if name.startswith("frontend.") else name
        if not re.fullmatch(r"[\d.]+", ip):
            return self._line(nonce, {"exitcode": 6, "errormsg": f"Could not resolve host: {ip}"}, {})
        pod, status = self._served(place, ip, port, host, url.path)
        if not status:
            return self._line(nonce, {"exitcode": 7, "errormsg": "Couldn't connect to server"}, {})
        local = "127.0.0.1" if ip.startswith("127.") else place.ip or OUTSIDE_IP
        sport = next(self._ports)
        client = {"http_code": status, "num_connects": 1, "local_ip": local, "local_port": sport}
        server = self._headers(place, nonce, pod, port, f"{local}:{sport}", url.path) if pod else {}
        self._track(local, sport, ip, port, PODS[pod][2] if pod else ip)
        return self._line(nonce, {**client, "remote_ip": ip, "remote_port": port}, server)

    def _served(self, place: Place, ip: str, port: int, host: str, path: str) -> tuple[str, int]:
        """(Pod, status) of who answers there; ("", 0) nobody, ("", 404) a proxy by itself."""
        if ip in self.lies.silent:
            return "", 0
        if (ip, port) in self.lies.open:
            return "frontend-1", 200
        if ip in self.lies.responder:
            return self.lies.responder[ip], 200
        by_ip = {pod[2]: name for name, pod in PODS.items()}
        if ip == "127.0.0.1":
            return place.pod, 200
        if ip in (CLUSTER_IP, BALANCER_IP):
            return (
                (self.lies.only or next(self._after if self.deleted else self._turn), 200)
                if port in (80, 8080)
                else ("", 0)
            )
        if ip == INGRESS_IP:
            hit = next((p for (h, prefix), p in ROUTES.items() if h == host and path.startswith(prefix)), "")
            hit = hit or ("shop-1" if self.lies.everything_routed else "")
            return hit, 200 if hit else 404
        if ip in NODES.values():
            return "", 404 if port == 10250 else 0
        return (by_ip[ip], 200) if ip in by_ip and place.pod and port in (80, 8080) else ("", 0)

    def _headers(self, place: Place, nonce: str, pod: str, port: int, peer: str, path: str) -> dict[str, str]:
        through_proxy = {} if place.pod else {model.HEADER_PEER: "10.244.1.1:55555"}
        upstream = {model.HEADER_UPSTREAM_PEER: "127.0.0.1:33333"} if port == 80 and path != "/whoami" else {}
        return {
            model.HEADER_POD: pod,
            model.HEADER_NODE: PODS[pod][3],
            model.HEADER_CONTAINER: "nginx" if port == 80 else "webapp",
            model.HEADER_PEER: peer,
            model.HEADER_NONCE: nonce,
            **upstream,
            **through_proxy,
            **self.lies.headers,
        }

    def _track(self, src: str, sport: int, dst: str, dport: int, server: str) -> None:
        if self.lies.untracked or src == "127.0.0.1":
            return
        back = dst if self.lies.untranslated else server
        self.tracked.append(
            f"ipv4     2 tcp      6 119 TIME_WAIT src={src} dst={dst} sport={sport} dport={dport} "
            f"src={back} dst={src} sport={dport} dport={sport} [ASSURED] mark=0 use=1"
        )

    @staticmethod
    def _line(nonce: str, client: dict[str, Any], server: dict[str, str]) -> str:
        full = {
            "exitcode": 0,
            "errormsg": None,
            "http_code": 0,
            "num_connects": 0,
            "local_ip": "",
            "local_port": 0,
        }
        full |= {"remote_ip": "", "remote_port": 0, "time_namelookup": 0, "time_connect": 0.001}  # type: ignore[dict-item]
        full |= {"time_starttransfer": 0.002, "time_total": 0.002, **client}  # type: ignore[dict-item]
        return "\t".join([nonce, json.dumps(full), *(server.get(header, "") for header in HEADERS)]) + "\n"

    def _section(self, place: Place, key: str, command: str) -> str:
        text, code = self._command(place, key, command)
        return f"{sections.MARK}begin {key}\n{text}{sections.MARK}end {key} {code}\n"

    def _command(self, place: Place, key: str, command: str) -> tuple[str, int]:
        if command.startswith("conntrack"):
            source = command.rsplit(" ", 1)[1]
            return "".join(
                f"{line}\n" for line in self.tracked if f"src={source} " in line.split("dst=")[0]
            ), 0
        if command.startswith("ss"):
            return f"LISTEN 0 4096 {self.lies.listener or '127.0.0.1:10248'} 0.0.0.0:*\n", 0
        if command.startswith("ip"):
            return f"15: eth0    inet {NODES[place.node]}/16 brd 172.18.255.255 scope global eth0\n", 0
        if command.startswith("cat"):
            return "1\n", 0
        if command.startswith("perl"):
            return self.lies.bind, 0
        if command.startswith("getent"):
            return self._resolve(command.split()[-1])
        inode = self.lies.inode.get(f"{place.pod}/{place.container}", hash(place.pod) % 10**9)
        return (
            f"net:[{inode}]\n1: lo    inet 127.0.0.1/8 scope host lo\n3: eth0    inet {place.ip}/24 scope global\n"  # noqa: E501
            "1: lo: <LOOPBACK,UP> mtu 65536\n3: eth0@if7: <BROADCAST,UP> mtu 1500\n"
        ), 0

    def _resolve(self, name: str) -> tuple[str, int]:
        first, service = name.split(".")[:2]
        if name in self.lies.names:
            ips = self.lies.names[name].split()
        elif service == "peer":
            ips = [PODS[first][2]]
        else:
            ips = [CLUSTER_IP] if first == "frontend" else [PODS[pod][2] for pod in BEHIND[first]]
        return "".join(f"{ip}     STREAM {name}\n{ip}     DGRAM\n" for ip in ips), 0 if ips else 2

    # --- the API server, as far as scenarios need it ---------------------------------------------

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path.endswith("/endpointslices"):
            new = () if self.lies.never_replaced or not self.deleted else (NEW,)
            return {"items": [slice_json("frontend", (*new, *BEHIND["frontend"][1:]))]}
        if path.endswith("/pods"):
            return {"items": [pod_json(name) for name in PODS if PODS[name][0] == SERVICE_NS]}
        return service_json("frontend", self.lies.clusterip_after, BALANCER_IP)

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        self.deleted.append(path)
        return {}

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.patched.append((path, dict(body)))
        return {}

    def snapshot(self) -> Snapshot:
        return snapshot()


def _options(group: str) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for line in group.splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value.strip('"'))
    return [*found.items()]
