"""A cluster at rest before it is judged: Pods ready, and each node's rules those of the ready endpoints.

What has just been deployed still moves: kube-proxy follows an EndpointSlice within about a second. A suite
that began in between would call a Service unfair, or tables different, that are neither.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from scripts.evidence.agent import Kernel, collect
from scripts.evidence.rules import Rules, ServiceKey
from scripts.probing.executor import CompletedExec, Executor
from scripts.probing.places import agents
from scripts.probing.snapshot import ServiceInfo, Snapshot
from scripts.probing.view import View
from scripts.waiting import TIMEOUTS, Late, eventually

HEADLESS = ("", "None")
READABLE = ("iptables", "nftables")
"""The modes whose rules are understood; of another one nothing is waited for."""


def settled(
    view: View,
    look: Callable[[], Snapshot],
    execute: Executor,
    labs: Collection[str],
    tell: Callable[[str], None],
    deadline: float = TIMEOUTS.follow,
) -> View:
    """The view once ``labs`` are at rest, looked at anew for ``deadline`` seconds; then as it is by then.

    ``tell`` is told once what is waited for, and whether it was in vain.
    """
    now, told = view, ""

    def forget(name: str, done: CompletedExec) -> None:
        """Waiting keeps no raw output: the run that follows collects its own."""

    def at_rest() -> bool:
        nonlocal now, told
        kernel = collect(agents(now), (), execute, threads, forget, rules_only=True)
        why = unsettled(now, kernel, labs)
        if why:
            if not told:
                tell(f"waiting for the labs to settle: {why}")
            told, now = why, replace(now, snapshot=look())
        return not why

    with ThreadPoolExecutor(len(view.snapshot.nodes) or 1) as threads:
        try:
            eventually(at_rest, deadline, "the labs to settle", every=0.2)
        except Late:
            tell(f"they did not settle, so they are judged as they are: {told}")
    return now


def unsettled(view: View, kernel: Kernel, labs: Collection[str]) -> str:
    """What of ``labs`` still moves, or an empty text; a node that does not tell counts as settled."""
    deployed = view.exports.get("labs", {})
    namespaces = {deployed[lab]["namespace"] for lab in labs if lab in deployed}
    for pod in view.snapshot.pods:
        if pod.namespace in namespaces and not (pod.ready or pod.leaving):
            return f"Pod {pod.name} is not ready"
    nodes = {name: node.rules for name, node in kernel.nodes.items() if node.rules.mode in READABLE}
    for (namespace, name), service in view.snapshot.services.items():
        if namespace in namespaces:
            behind = view.snapshot.endpoints.get((namespace, name), ())
            ready = {endpoint.ip for endpoint in behind if endpoint.ready}
            for node, rules in nodes.items():
                if difference := misdirected(service, ready, node, rules):
                    return difference
    return ""


def misdirected(service: ServiceInfo, ready: Collection[str], node: str, rules: Rules) -> str:
    """How a node's rules send a Service's ports to other addresses than ``ready``, or an empty text."""
    if service.cluster_ip in HEADLESS:
        return ""
    for port in service.ports:
        entry = rules.entries.get(ServiceKey(service.cluster_ip, port, "tcp"))
        behind = {backend.ip for backend in entry.backends} if entry else set()
        if behind != set(ready):
            told = f"the ready endpoints are {_told(ready)}"
            return f"{node} sends port {port} of {service.name} to {_told(behind)}, {told}"
    return ""


def _told(addresses: Collection[str]) -> str:
    return ", ".join(sorted(addresses)) or "nobody"
