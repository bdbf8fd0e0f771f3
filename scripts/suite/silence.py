"""Which probes need a node that does not answer: those are left open, whatever came back.

For 40 s after a node has fallen silent the API reports it, its Pods and its endpoints as ready, and the rules
of the other nodes go on sending a part of every Service's connections there. A red is no evidence then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from scripts.checks.base import Scenario, Step
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.dnsask import SERVICE
from scripts.evidence.snapshot import Key
from scripts.evidence.view import View
from scripts.runs.document import ProbeRecord

PULSE = Callable[[], Mapping[str, str]]
"""Asks which nodes do not answer now, each with the reason."""
OPEN = (Failure.NODE_DOWN, Failure.RESTS_ON, Failure.CONTROL_FAILED)
"""Inconclusive for a reason that another look at the nodes does not change."""


def nobody() -> Mapping[str, str]:
    """Asks no node."""
    return {}


def unaskable(step: Step, view: View) -> str:
    """Why asking would only show chance or a time-out, or an empty text: an endpoint is on a silent node."""
    if not view.silent:
        return ""
    for pod in view.snapshot.pods:
        if pod.ip in step.work.clients and (why := view.silent.get(pod.node)):
            return f"it needs {pod.name} on node {pod.node}, which does not answer: {why}"
    if not step.work.requests and not isinstance(step.probe.check, Scenario):
        return ""
    for key in _services(step, view):
        for node in _endpoint_nodes(key, step, view):
            if why := view.silent.get(node):
                return f"{key[1]} has a Pod on node {node}, which does not answer: {why}"
    return ""


def left_open(
    records: Mapping[str, ProbeRecord], steps: Iterable[Step], view: View, pulse: PULSE
) -> tuple[dict[str, ProbeRecord], View]:
    """The reds of ``steps`` that may come from a silent node, as inconclusive, by probe id.

    The nodes are asked again if there is any red: one may have fallen silent during the run. The view
    returned knows of it.
    """
    red = [step for step in steps if step.probe.id in records and _is_red(records[step.probe.id])]
    if not red:
        return {}, view
    silent = {**view.silent, **pulse()}
    found = {}
    for step in red:
        met = sorted(_nodes(step, view.by(step.probe.family)) & silent.keys())
        if met:
            record = records[step.probe.id]
            why = f"node {met[0]} does not answer: {silent[met[0]]}"
            if record.verdict is Verdict.FAILED:
                why += f"; what was seen proves nothing: {record.why}"
            changed = {"verdict": Verdict.INCONCLUSIVE, "failure": Failure.NODE_DOWN, "why": why}
            found[record.id] = record.model_copy(update=changed)
    return found, replace(view, silent=silent)


def _is_red(record: ProbeRecord) -> bool:
    if record.verdict is Verdict.INCONCLUSIVE:
        return record.failure not in OPEN
    return record.verdict is Verdict.FAILED


def _services(step: Step, view: View) -> list[Key]:
    """The Services whose endpoints a step's requests are sent to, as far as that is declared."""
    target = step.work.target
    if target is None:
        return []
    if target.service:
        return [(target.service.namespace, target.service.name)]
    if not target.host:
        return []
    path = urlsplit(step.work.requests[0].url).path if step.work.requests else "/"
    exports = view.lab(target.lab)
    hosts = [of["hosts"].get(target.host, {}) for of in exports["ingresses"].values()]
    return [
        (exports["namespace"], service)
        for routes in hosts
        for prefix, service in routes.items()
        if path.startswith(prefix)
    ]


def _endpoint_nodes(key: Key, step: Step, view: View) -> set[str]:
    """The nodes of a Service's endpoints to which rules may send what comes from a step's place."""
    service = view.snapshot.services.get(key)
    near = step.place.node if service and service.local else ""
    behind = view.snapshot.endpoints.get(key, ())
    return {one.node for one in behind if (one.ready or one.serving) and near in ("", one.node)}


def _nodes(step: Step, view: View) -> set[str]:
    """Every node that a step's packets may cross, or whose kernel it needs as a witness."""
    work, target, nodes = step.work, step.work.target, view.snapshot.nodes
    if work.traced or work.table or (target and target.proxy) or isinstance(step.probe.check, Scenario):
        return {node.name for node in nodes}
    node_by_ip = {pod.ip: pod.node for pod in view.snapshot.pods} | {node.ip: node.name for node in nodes}
    found = {place.node for place in (*step.places, *(command.place for command in work.commands))}
    found |= {node_by_ip.get(ip, "") for ip in (*work.clients, *(target.ips if target else ()))}
    for key in _services(step, view):
        found |= _endpoint_nodes(key, step, view)
    if target and not _is_address(target.address):
        found |= _endpoint_nodes(SERVICE, step, view)
    return found


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
