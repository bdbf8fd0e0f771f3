"""What stands beside a packet's way: Pods that it was meant for, and those that answered other requests."""

from __future__ import annotations

from collections import Counter

from scripts.ends import parted
from scripts.reporting.html.path import Beside, Path
from scripts.reporting.html.seen import NODE, POD, Place, place_of
from scripts.runs.document import ClusterRecord, ProbeRecord

MOST = 5
"""Pods that are drawn beside a way."""


def beside(probe: ProbeRecord, path: Path, cluster: ClusterRecord) -> tuple[Beside, ...]:
    """The Pods beside the way of a probe's packet, each with what happened there."""
    if not path.stations:
        return ()
    on_it = {station.owner.removeprefix("Pod ").partition("/")[0] for station in path.stations}
    every = [*_missed(probe, path, cluster), *_others(probe)]
    found = {(one.node, one.name): one for one in every if one.node and one.name not in on_it}
    return tuple(found.values())[:MOST]


def _missed(probe: ProbeRecord, path: Path, cluster: ClusterRecord) -> list[Beside]:
    """Whom a packet that stopped on its way there was meant for."""
    if not path.stopped or any(station.way == "reply" for station in path.stations):
        return []
    api = probe.receipt.api
    nodes = {pod.ip: pod.node for pod in cluster.pods if pod.ip}
    meant = [place_of(api["pod"])] if api.get("pod") else []
    meant += [place_of(end) for end in api.get("endpoints") or ()]
    target, port = parted(path.stations[-1].destination)
    meant += [Place(f"port {port}", node.ip, node.name) for node in cluster.nodes if node.ip == target]
    return [Beside(one.node or nodes.get(one.ip, ""), one.name, "not reached") for one in meant]


def _others(probe: ProbeRecord) -> list[Beside]:
    """Who answered the other requests of a probe that sent several."""
    sent = sum("http_code" in one for one in probe.receipt.client)
    answered = Counter((one.get(NODE, ""), one.get(POD, "")) for one in probe.receipt.server)
    if sent < 2 or len(answered) < 2:
        return []
    return [
        Beside(node, name, f"answered {count} of {sent}") for (node, name), count in sorted(answered.items())
    ]
