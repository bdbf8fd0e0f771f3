"""A cluster at rest before it is judged: Pods ready, rules that follow the endpoints, entrances that answer.

What has just been deployed still moves. kube-proxy follows an EndpointSlice within about a second, and a load
balancer sends to any node until its first health checks are through. A suite that began in between would
call a Service unfair, tables different or a balancer broken that are none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from labs import model
from scripts.evidence.agent import Kernel, collect
from scripts.evidence.rules import Rules, ServiceKey
from scripts.probing import curl
from scripts.probing.executor import CompletedExec, Executor, PodExecError
from scripts.probing.places import agents, place_of, target_of
from scripts.probing.plan import requests_to
from scripts.probing.snapshot import ServiceInfo, Snapshot
from scripts.probing.view import MissingPeer, NotHere, View
from scripts.waiting import TIMEOUTS, Late, eventually

HEADLESS = ("", "None")
READABLE = ("iptables", "nftables")
"""The modes whose rules are understood; of another one nothing is waited for."""
KNOCKS = 8
"""Requests to each port of a load balancer: one that takes any of two nodes is seen but once in 256 times."""
PATIENCE = 2
"""Of each such request, in seconds."""

Entrance = tuple[model.Balancer | model.Ingress | model.Gateway, str]
"""Where requests come in from outside, and a path that something behind it serves."""


def settled(
    view: View,
    look: Callable[[], Snapshot],
    execute: Executor,
    labs: Collection[str],
    tell: Callable[[str], None],
    deadline: float = TIMEOUTS.ready,
) -> View:
    """The view once ``labs`` are at rest, looked at anew for ``deadline`` seconds; then as it is by then.

    ``tell`` is told once what is waited for, and whether it was in vain.
    """
    now, told = view, ""

    def forget(name: str, done: CompletedExec) -> None:
        """Waiting keeps no raw output: the run that follows collects its own."""

    def moves() -> str:
        if why := unready(now, labs):
            return why
        kernel = collect(agents(now), (), execute, threads, forget, rules_only=True)
        return lagging(now, kernel, labs) or unanswered(now, execute, labs)

    def at_rest() -> bool:
        nonlocal now, told
        why = moves()
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


def unready(view: View, labs: Collection[str]) -> str:
    """Which Pod of ``labs`` is not ready, or an empty text."""
    namespaces = _namespaces(view, labs)
    waiting = (p for p in view.snapshot.pods if p.namespace in namespaces and not (p.ready or p.leaving))
    return next((f"Pod {pod.name} is not ready" for pod in waiting), "")


def lagging(view: View, kernel: Kernel, labs: Collection[str]) -> str:
    """Which node's rules do not follow the endpoints of ``labs``, or an empty text.

    A node that does not tell its rules is not waited for.
    """
    namespaces = _namespaces(view, labs)
    told = {name: node.rules for name, node in kernel.nodes.items() if node.rules.mode in READABLE}
    for key, service in view.snapshot.services.items():
        if key[0] in namespaces:
            ready = {endpoint.ip for endpoint in view.snapshot.endpoints.get(key, ()) if endpoint.ready}
            for node, rules in told.items():
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
            told = f"the ready endpoints are {_addresses(ready)}"
            return f"{node} sends port {port} of {service.name} to {_addresses(behind)}, {told}"
    return ""


def unanswered(view: View, execute: Executor, labs: Collection[str]) -> str:
    """Which entrance of ``labs`` does not answer from outside yet, or an empty text.

    A stack without a world outside is not waited for, nor one whose outside host cannot be asked.
    """
    try:
        place = place_of(model.Outside(), view)
        knocks = [
            (to, request)
            for to, path in entrances(view, labs)
            for request in requests_to(target_of(to, place, view), "rest", path, times=KNOCKS, total=PATIENCE)
        ]
    except MissingPeer as missing:
        return str(missing)
    except NotHere:
        return ""
    if not knocks:
        return ""
    try:
        done = execute(place, curl.argv(), curl.render(request for _, request in knocks), TIMEOUTS.exec)
    except PodExecError:
        return ""
    answers = curl.parse(done.stdout, [request for _, request in knocks])
    return next((why for to, request in knocks if (why := _refusal(to, answers[request.nonce]))), "")


def entrances(view: View, labs: Collection[str]) -> Iterator[Entrance]:
    """The load balancers, Ingresses and Gateways of ``labs``, each with a path that it serves."""
    for lab, told in view.exports.get("labs", {}).items():
        if lab in labs:
            for name in told["services"]:
                service = view.snapshot.services.get((told["namespace"], name))
                for port in service.ports if service and service.balancer_ips else ():
                    yield model.Balancer(lab, name, port), "/"
            for name, of in told["ingresses"].items():
                for host, paths in of["hosts"].items():
                    for path in paths:
                        yield model.Ingress(lab, name, host), path
                        yield model.Gateway(lab, name, host), path


def _refusal(to: object, answer: curl.Answer | str) -> str:
    """Why this is no answer yet of what stands behind an entrance; a lost answer is the run's business."""
    if isinstance(answer, str):
        return ""
    if answer.exitcode:
        return f"{to} does not answer ({answer.error})"
    return "" if answer.status == 200 else f"{to} answers with status {answer.status}"


def _namespaces(view: View, labs: Collection[str]) -> set[str]:
    deployed = view.exports.get("labs", {})
    return {deployed[lab]["namespace"] for lab in labs if lab in deployed}


def _addresses(ips: Collection[str]) -> str:
    return ", ".join(sorted(ips)) or "nobody"
