"""Waits until a cluster has settled: Pods are ready, rules follow the endpoints, entrances answer.

What has just been deployed is still changing. kube-proxy follows an EndpointSlice within about a second, and
a load balancer sends to any node until its first health checks are done. A suite that began in between would
find unfair Services, different tables and broken load balancers where there are none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from scripts.checks.base import requests_to
from scripts.checks.destinations import Balancer, Gateway, Ingress
from scripts.checks.peers import Destination, Outside
from scripts.checks.table import misdirected
from scripts.evidence import curl
from scripts.evidence.nodeview import RULES, Kernel, collect
from scripts.evidence.snapshot import Snapshot
from scripts.evidence.view import MissingPeer, NotHere, View
from scripts.transport.executor import CompletedExec, Conclusive, Executor, PodExecError
from scripts.waiting import TIMEOUTS, Late, eventually

READABLE = ("iptables", "nftables")
"""The modes whose rules can be read; in any other mode the rules are not waited for."""
ENDED = ("Succeeded", "Failed")
"""Phases of a Pod that will never be ready again, and need not be."""
QUIET, FRESH_QUIET = 2.0, 15.0
"""Seconds without a change after which a stack has settled; the second if it was just deployed."""
KNOCKS = 8
"""Requests to each port of a load balancer: if one of two nodes fails, they miss it once in 256 times."""
PATIENCE = 2
"""Of each such request, in seconds."""

Entrance = tuple[Destination, str]
"""Where requests come in from outside, and a path that something behind it serves."""


def settled(
    view: View,
    look: Callable[[], Snapshot],
    execute: Executor,
    labs: Collection[str],
    tell: Callable[[str], None],
    quiet: float = QUIET,
) -> View:
    """The view once ``labs`` are at rest: all as it should be, or nothing changed for ``quiet`` seconds.

    Waits up to ``TIMEOUTS.ready`` seconds while something changes, and calls ``tell`` with each thing that it
    waits for.
    """
    now, still, since, told = view, object(), time.monotonic(), ""
    execute = Conclusive(execute)

    def forget(name: str, done: CompletedExec) -> None:
        """Keeps no raw output: the run that follows collects its own."""

    def at_rest() -> bool:
        nonlocal now, still, since, told
        why = unready(now, labs) or unlisted(now, labs)
        kernel = Kernel()
        if not why:
            kernel = collect(now.agent_places(), RULES, execute, threads, forget)
            why = lagging(now, kernel, labs) or unanswered(now, execute, labs)
        if not why:
            return True
        if why != told:
            tell(f"waiting for the labs to settle: {why}")
        rules = {node: of.rules.entries for node, of in kernel.nodes.items()}
        state = (
            why,
            now.snapshot,
            {node: {k: v.shares for k, v in of.items()} for node, of in rules.items()},
        )
        if state != still:
            still, since = state, time.monotonic()
        told = why
        if time.monotonic() - since >= quiet:
            tell(f"nothing is changing any more, so the labs are judged as they are: {why}")
            return True
        now = replace(now, snapshot=look())
        return False

    with ThreadPoolExecutor(len(view.snapshot.nodes) or 1) as threads:
        try:
            eventually(at_rest, TIMEOUTS.ready, "the labs to settle", every=0.2)
        except Late:
            tell(
                f"the labs are still changing after {TIMEOUTS.ready:.0f} s, so they are judged as is: {told}"
            )
    return now


def unready(view: View, labs: Collection[str]) -> str:
    """Which Pod of ``labs`` is not ready, or an empty text."""
    namespaces = _namespaces(view, labs)
    waiting = (
        pod
        for pod in view.snapshot.pods
        if pod.namespace in namespaces
        and pod.node not in view.silent
        and not (pod.ready or pod.leaving or pod.phase in ENDED)
    )
    return next((f"Pod {pod.name} is not ready" for pod in waiting), "")


def unlisted(view: View, labs: Collection[str]) -> str:
    """Which Service of ``labs`` has other endpoints than its selector selects, or an empty text.

    So it is for a moment after a label or a selector was changed, as a run that was killed may have left it.
    """
    namespaces = _namespaces(view, labs)
    for key, service in view.snapshot.services.items():
        if key[0] in namespaces and service.selector:
            selected = [pod for pod in view.snapshot.pods if service.selects(pod)]
            behind = {one.ip for one in view.snapshot.endpoints.get(key, ()) if one.ready}
            known = {pod.ip for pod in selected}
            there = [pod for pod in selected if pod.ready and not pod.leaving and pod.node not in view.silent]
            for pod in there:
                if pod.ip not in behind:
                    return f"Pod {pod.name} is not among the endpoints of {service.name} yet"
            if strange := sorted(behind - known):
                return f"{strange[0]} is among the endpoints of {service.name}, which does not select it"
    return ""


def lagging(view: View, kernel: Kernel, labs: Collection[str]) -> str:
    """Which node's rules do not follow the endpoints of ``labs``, or an empty text.

    A node whose rules cannot be read is not waited for.
    """
    namespaces = _namespaces(view, labs)
    rules_by_node = {name: node.rules for name, node in kernel.nodes.items() if node.rules.mode in READABLE}
    if rules_by_node:
        for name, of in kernel.nodes.items():
            if of.rules.mode == "none" and not of.lacks(["rules"]):
                return f"kube-proxy on {name} has no rules at all"
    for key, service in view.snapshot.services.items():
        if key[0] in namespaces:
            behind = view.snapshot.endpoints.get(key, ())
            for node, rules in rules_by_node.items():
                if difference := misdirected(service, behind, node, rules):
                    return difference
    return ""


def unanswered(view: View, execute: Executor, labs: Collection[str]) -> str:
    """Which entrance of ``labs`` does not answer from outside yet, or an empty text.

    Waits for nothing where the stack has no world outside, the outside host cannot be reached, or a node is
    silent: some of what comes in would be sent there.
    """
    if view.silent:
        return ""
    try:
        place = Outside().place(view)
        knocks = [
            (to, request)
            for to, path in entrances(view, labs)
            for request in requests_to(to.target(place, view), "rest", path, times=KNOCKS, total=PATIENCE)
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
    for lab, exports in view.exports.get("labs", {}).items():
        if lab in labs:
            for name in exports["services"]:
                service = view.snapshot.services.get((exports["namespace"], name))
                for of in service.ports if service and service.balancer_ips else ():
                    if of.protocol == "TCP":
                        yield Balancer(lab, name, of.port), "/"
            for name, of in exports["ingresses"].items():
                for host, paths in of["hosts"].items():
                    for path in paths:
                        yield Ingress(lab, name, host), path
                        yield Gateway(lab, name, host), path


def _refusal(to: object, answer: curl.Answer | str) -> str:
    """Why this is not yet an answer from behind an entrance; lost answers are left to the run."""
    if isinstance(answer, str):
        return ""
    if answer.exitcode:
        return f"{to} does not answer ({answer.error})"
    return "" if answer.status == 200 else f"{to} answers with status {answer.status}"


def _namespaces(view: View, labs: Collection[str]) -> set[str]:
    deployed = view.exports.get("labs", {})
    return {deployed[lab]["namespace"] for lab in labs if lab in deployed}
