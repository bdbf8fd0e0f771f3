"""Peers by the names that a person types: where a request starts, and where it goes."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Literal

from scripts.checks.destinations import Balancer, Gateway, Host, Ingress, NodePort, Pod, Service
from scripts.checks.peers import Client, Container, Destination, OnNode, Outside, Source
from scripts.errors import PodpathError, UsageError
from scripts.evidence.view import MissingPeer, View

SOURCES = "client-N, node-N, outside, or LAB/WORKLOAD[/CONTAINER]"
DESTINATIONS = (
    "LAB/WORKLOAD:PORT, LAB/service/NAME:PORT, LAB/balancer/NAME:PORT, LAB/nodeport/NAME:PORT, "
    "LAB/ingress/NAME@HOST, LAB/gateway/NAME@HOST, near, or outside"
)
_NUMBERED = re.compile(r"(client|node)-([1-9]\d*)")
_PLACED = re.compile(r"([a-z0-9-]+)/(?:(service|balancer|nodeport)/)?([a-z0-9-]+):(\d+)")
_ROUTED = re.compile(r"([a-z0-9-]+)/(ingress|gateway)/([a-z0-9-]+)@([a-z0-9.-]+)")
Where = Literal["any node", "same node", "other node"]


def source_of(text: str, view: View) -> Source:
    """The peer where a request starts; raises UsageError for an unknown name."""
    if text == "outside":
        return Outside()
    if numbered := _NUMBERED.fullmatch(text):
        index = int(numbered[2]) - 1
        return Client(index) if numbered[1] == "client" else OnNode(index)
    lab, _, rest = text.partition("/")
    workload, _, container = rest.partition("/")
    if not workload:
        raise UsageError(_unknown(text, SOURCES, sources(view)))
    _known(lab, workload, "pods", view, text, SOURCES, sources(view))
    try:
        pod = view.pods(lab, workload)[0]
    except MissingPeer as reason:
        raise PodpathError(f"{reason}.") from None
    if container and container not in pod.containers:
        raise UsageError(f"{workload} of {lab} has no container {container!r}: {', '.join(pod.containers)}.")
    return Container(lab, workload, container or pod.containers[0])


def destination_of(text: str, view: View, where: Where = "any node") -> Destination:
    """The peer that a request goes to; raises UsageError for an unknown name."""
    if text in ("near", "outside"):
        return Host("near" if text == "near" else "outside")
    if routed := _ROUTED.fullmatch(text):
        lab, kind, name, host = routed.groups()
        _known(lab, name, "ingresses", view, text, DESTINATIONS, destinations(view))
        return Ingress(lab, name, host) if kind == "ingress" else Gateway(lab, name, host)
    placed = _PLACED.fullmatch(text)
    if not placed or int(placed[4]) > 65535:
        raise UsageError(_unknown(text, DESTINATIONS, destinations(view)))
    lab, kind, name, port = placed[1], placed[2], placed[3], int(placed[4])
    exported = "services" if kind else "pods"
    _known(lab, name, exported, view, text, DESTINATIONS, destinations(view))
    if kind == "service":
        return Service(lab, name, port)
    if kind == "balancer":
        return Balancer(lab, name, port)
    if kind == "nodeport":
        occupied = {endpoint.node for endpoint in view.endpoints(lab, name)}
        bare = any(node.name not in occupied for node in view.snapshot.workers)
        return NodePort(lab, name, port, "node without a Pod" if bare else "node with a Pod")
    return Pod(lab, name, port, where)


def sources(view: View) -> list[str]:
    """Every name that ``source_of`` takes."""
    numbers = range(1, len(view.snapshot.workers) + 1)
    named = [f"{kind}-{n}" for kind in ("client", "node") for n in numbers] + ["outside"] * bool(view.outside)
    return named + [f"{lab}/{workload}" for lab, exports in _labs(view) for workload in exports["pods"]]


def destinations(view: View) -> list[str]:
    """Names that ``destination_of`` takes: those of each kind that the stack has."""
    found = ["near", "outside"] * bool(view.outside)
    for lab, exports in _labs(view):
        for service, of in exports["services"].items():
            ports = [int(port) for port in of["ports"].values()]
            there = view.snapshot.services.get((view.namespace(lab), service))
            if there is None or there.cluster_ip in ("", "None"):
                continue
            found += [f"{lab}/service/{service}:{port}" for port in ports]
            if there.balancer_ips:
                found += [f"{lab}/balancer/{service}:{port}" for port in ports]
                found += [f"{lab}/nodeport/{service}:{port}" for port in ports]
        for workload in exports["pods"]:
            named = exports["services"].get(workload, {}).get("ports", {"": 80})
            found += [f"{lab}/{workload}:{int(port)}" for port in named.values()]
        for ingress, of in exports["ingresses"].items():
            found += [
                f"{lab}/{kind}/{ingress}@{host}" for kind in ("ingress", "gateway") for host in of["hosts"]
            ]
    return found


def _labs(view: View) -> list[tuple[str, dict[str, dict[str, dict[str, dict[str, int]]]]]]:
    return [*view.exports.get("labs", {}).items()]


def _known(lab: str, name: str, kind: str, view: View, text: str, form: str, names: list[str]) -> None:
    exports = dict(_labs(view)).get(lab)
    if exports is None or (name and name not in exports[kind]):
        raise UsageError(_unknown(text, form, names))


def _unknown(text: str, form: str, names: list[str]) -> str:
    near = get_close_matches(text, names, n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(near)}?" if near else f"write {form} (scripts/trace --list names them)."
    )
    return f"there is no peer {text!r}: {hint}"
