"""The way of a packet that was not captured: the stations at which one of the receipt's views saw it."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.checks.verdict import Verdict
from scripts.ends import ip_of
from scripts.reporting.html.path import Lane, Path, Station, Way
from scripts.reporting.html.seen import CONTAINER, NODE, PEER, POD, Seen
from scripts.runs.document import ClusterRecord, ProbeRecord

NOTE = "Not captured hop by hop: drawn is where the client, the kernels and the server saw it."


def viewed_path(probe: ProbeRecord, seen: Seen, cluster: ClusterRecord, cause: str) -> Path:
    """The stations of the request ``seen``; a Path without any if the probe sent none."""
    if not seen.answer:
        return Path()
    there, back = _there(seen, cluster), _back(seen, cluster)
    red = probe.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE) and not seen.ok
    stopped = (cause or probe.why or "") if red else ""
    expected = not red and not seen.ok
    stopped = seen.answer if expected else stopped
    names = _names(cluster, [*there, *back])
    return Path((*there, *(back if seen.ok else ())), False, stopped, names, (NOTE,), expected=expected)


def _there(seen: Seen, cluster: ClusterRecord) -> list[Station]:
    target = seen.destination
    stations = [_begin(seen, "request", seen.source, target, "sent")]
    stations += _entered(seen, cluster, "request", seen.source, target)
    stations += [
        Station(
            Lane.NETFILTER,
            one.node,
            "connection tracking",
            "request",
            one.new_source,
            one.new_destination,
            changed=one.changed,
        )
        for one in seen.tracked
    ]
    if seen.server:
        carried = seen.tracked[-1].new_destination if seen.tracked else target
        stations.append(_served(seen, "request", seen.server.get(PEER, ""), carried))
    return stations


def _back(seen: Seen, cluster: ClusterRecord) -> list[Station]:
    carried = seen.tracked[-1].new_destination if seen.tracked else seen.destination
    stations = [_served(seen, "reply", carried, seen.server.get(PEER, ""))] if seen.server else []
    stations += [
        Station(
            Lane.NETFILTER,
            one.node,
            "connection tracking",
            "reply",
            one.destination,
            one.source,
            changed=tuple(f"reverse {name}" for name in one.changed),
        )
        for one in reversed(seen.tracked)
    ]
    stations += _entered(seen, cluster, "reply", seen.destination, seen.source)
    return [*stations, _begin(seen, "reply", seen.destination, seen.source, seen.answer)]


def _entered(seen: Seen, cluster: ClusterRecord, way: Way, source: str, destination: str) -> list[Station]:
    """Whose address the client's connection leads to: a load balancer, or whoever answers without a name."""
    ip = ip_of(seen.destination)
    owners = {ip: f"{one.namespace}/{one.name}" for one in cluster.services for ip in one.balancer_ips}
    if name := owners.get(ip) or cluster.entrances.get(ip):
        return [Station(Lane.BALANCER, "", f"of {name}", way, source, destination)]
    if seen.server or seen.tracked or not seen.ok:
        return []
    for node in cluster.nodes:
        if ip == node.ip:
            name = f"port {seen.destination.rpartition(':')[2]}"
            return [Station(Lane.POD, node.name, name, way, source, destination, owner=name)]
    for pod in cluster.pods:
        if ip == pod.ip:
            return [Station(Lane.POD, pod.node, pod.name, way, source, destination, owner=pod.name)]
    return []


def _begin(seen: Seen, way: Way, source: str, destination: str, time: str) -> Station:
    """The client's end."""
    begin = seen.begin
    lane = Lane.POD if begin.node else Lane.OUTSIDE
    return Station(lane, begin.node, begin.name, way, source, destination, time=time, owner=begin.name)


def _served(seen: Seen, way: Way, source: str, destination: str) -> Station:
    """The server's end, as the server names itself."""
    server = seen.server
    name = "/".join(filter(None, (server.get(POD, "a server without a name"), server.get(CONTAINER))))
    node = server.get(NODE, "")
    lane = Lane.POD if node else Lane.OUTSIDE
    return Station(lane, node, name, way, source, destination, owner=name)


def _names(cluster: ClusterRecord, stations: list[Station]) -> Mapping[str, str]:
    """The owners of the addresses at these stations, as far as the run's document knows them."""
    known = {pod.ip: f"Pod {pod.name}" for pod in cluster.pods if pod.ip}
    for service in cluster.services:
        name = f"Service {service.namespace}/{service.name}"
        known |= {service.cluster_ip: name} if service.cluster_ip not in ("", "None") else {}
        known |= {ip: f"load balancer of {name}" for ip in service.balancer_ips}
    known |= {ip: f"load balancer of {name}" for ip, name in cluster.entrances.items()}
    known |= {node.ip: f"node {node.name}" for node in cluster.nodes}
    met: dict[str, str] = {}
    for end in (end for one in stations for end in (one.source, one.destination)):
        ip = ip_of(end)
        if ip in known:
            met[ip] = known[ip]
    return met
