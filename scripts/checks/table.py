"""kube-proxy's rules for a Service on every node, beside the Service's EndpointSlices (claim S4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Check, Observation, Work
from scripts.checks.peers import Target
from scripts.checks.translation import served_otherwise
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive, passed, skipped
from scripts.ends import end_of
from scripts.evidence.rules import SAME_SHARE, Rules, ServiceKey, differs
from scripts.evidence.snapshot import Endpoint, ServiceInfo
from scripts.evidence.view import View
from scripts.tiers import Tier
from scripts.transport.executor import Place


@dataclass(frozen=True)
class Table(Check):
    """Every node has the same backends and shares for each port, and they are the ready endpoints."""

    own_tier: ClassVar[Tier] = Tier.KERNEL

    lab: str
    service: str

    def __str__(self) -> str:
        return f"every node for kube-proxy's table of {self.service}"

    @property
    def expected(self) -> str:
        """One table."""
        return "the same on every node, and just the ready endpoints"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """Nothing is sent: the rules are part of every run's evidence."""
        service = view.service(self.lab, self.service)
        target = Target(service.cluster_ip, 0, service=service, lab=self.lab)
        return Work(target=target, table=(self.lab, self.service))

    def judge(self, seen: Observation) -> Finding:
        """Compares each node's table with the first node's and with the endpoints."""
        nodes = [node.name for node in seen.view.snapshot.nodes]
        if problem := seen.kernel.problem(nodes, "rules"):
            return inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}")
        others = [served_otherwise(seen, node) for node in nodes]
        if nodes and all(others):
            return skipped(others[0])
        service = seen.view.service(self.lab, self.service)
        name = f"{service.namespace}/{service.name}"
        tables = {node: seen.kernel.nodes[node].rules.of(name) for node in nodes}
        behind = seen.view.snapshot.endpoints.get((service.namespace, service.name), ())
        for node, table in tables.items():
            difference = "" if service.local else differs(tables[nodes[0]], table, (nodes[0], node))
            if difference := difference or misdirected(service, behind, node, table):
                return failed(Failure.TABLES_DIFFER, difference)
            if uneven := unevenly(service, node, table):
                return failed(Failure.WRONG_SHARE, uneven)
        return (
            PASSED if len(nodes) > 1 else passed(f"{nodes[0]}, the only node, has just the ready endpoints")
        )


def unevenly(service: ServiceInfo, node: str, rules: Rules) -> str:
    """How a node's rules give the endpoints of one of a Service's ports other shares than even ones, or an
    empty text. kube-proxy knows no weights; the same wrong shares on every node are wrong, too."""
    for key, entry in rules.entries.items():
        even = 1 / len(entry.backends) if entry.backends else 0
        for address, share in entry.shares.items():
            if abs(share - even) > SAME_SHARE:
                asked = f"{service.name}:{key}" if key.address else f"{service.name} at {key}"
                given = f"gives {address} {share:.1%} of {asked}, not {even:.1%}"
                return f"kube-proxy on {node} {given} as each of its {len(entry.backends)} endpoints"
    return ""


def misdirected(service: ServiceInfo, behind: Sequence[Endpoint], node: str, rules: Rules) -> str:
    """How a node's rules send one of a Service's ports anywhere but to its endpoints, or an empty text.

    Each port by its own protocol and its own EndpointSlices; with internalTrafficPolicy Local only the
    endpoints of the node itself. If no endpoint is ready, those that are terminating but still serve stand in
    (https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-to-terminating-endpoints).
    """
    for of in () if service.headless else service.ports:
        protocol = of.protocol.lower()
        if protocol not in ("tcp", "udp"):
            continue
        here = [one for one in behind if one.node == node or not service.local]
        usable = [one for one in here if one.ready] or [one for one in here if one.serving]
        wanted = {
            end_of(one.ip, to.port)
            for one in usable
            for to in one.ports
            if (to.name, to.protocol) == (of.name, of.protocol)
        }
        entry = rules.entries.get(ServiceKey(service.cluster_ip, of.port, protocol))
        actual = {backend.address for backend in entry.backends} if entry else set()
        asked = f"{service.name}:{of.port}" + ("" if protocol == "tcp" else f"/{protocol}")
        if actual != wanted and not actual:
            return f"kube-proxy on {node} has no backend for {asked} (ready: {_told(wanted)})"
        if actual != wanted:
            return f"kube-proxy on {node} sends {asked} to {_told(actual)}, the endpoints are {_told(wanted)}"
    return ""


def _told(addresses: Collection[str]) -> str:
    return ", ".join(sorted(addresses)) or "none"
