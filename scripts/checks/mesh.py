"""The full mesh of nodes: every client asks the client on every other node, and each way is judged alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import urlsplit

from scripts.checks.base import Check, Observation, Sent, Step, Work, requests_to
from scripts.checks.peers import Source, Target, answering, no_client, worker
from scripts.checks.request import Expectation
from scripts.checks.verdict import Failure, Finding, Verdict, combined, inconclusive, passed
from scripts.evidence.snapshot import PodInfo
from scripts.evidence.view import View
from scripts.transport.executor import Place

PORT = 80
MOST = 64
"""Other nodes that each client asks: in a larger cluster those that follow its own in the order of names."""


@dataclass(frozen=True)
class EveryClient(Source):
    """The client Pods of all worker nodes."""

    dual: ClassVar[bool] = True

    def __str__(self) -> str:
        return "every client"

    def place(self, view: View) -> Place:
        """The first one, for what needs one place."""
        return view.place(_clients(view)[0])


@dataclass(frozen=True)
class Mesh(Check):
    """Requests from every client to the client of every other node; ``expect`` holds for each of them."""

    both: ClassVar[bool] = True

    expect: tuple[Expectation, ...]
    path: str = "/whoami"

    def __str__(self) -> str:
        return f"the client on every other node for {self.path}"

    @property
    def expected(self) -> str:
        """All that is expected of each answer, in words."""
        return ", ".join(map(str, self.expect))

    def work(self, probe: str, place: Place, view: View) -> Work:
        """One request for each ordered pair of nodes; raises NotHere where there is one node only."""
        clients, sent = _clients(view), []
        for n, client in enumerate(clients):
            at = view.place(client)
            for other in (*clients[n + 1 :], *clients[:n])[:MOST]:
                (request,) = requests_to(_target(other), probe, self.path)
                sent.append(Sent(at, request))
        return Work(elsewhere=tuple(sent))

    def judge(self, seen: Observation) -> Finding:
        """The worst of all ways, and how many are not as expected."""
        found = self._judged(seen)
        if not found:
            return inconclusive(Failure.NO_EVIDENCE, "no way between two nodes was asked")
        worst, way = _worst(found)
        bad = sum(finding.verdict is not Verdict.PASSED for finding, _ in found)
        if not bad:
            nodes = {way.step.place.node for _, way in found}
            return passed(f"{len(found)} ways between {len(nodes)} nodes")
        why = f"{bad} of {len(found)} ways are not so, first {_named(way)}: {worst.why}"
        return replace(worst, why=why)

    def example(self, seen: Observation) -> Step:
        """The way that the verdict names."""
        found = self._judged(seen)
        return _worst(found)[1].step if found else seen.step

    def _judged(self, seen: Observation) -> list[tuple[Finding, Observation]]:
        return [(combined(each.judge(way) for each in self.expect), way) for way in _ways(seen)]


def _worst(found: list[tuple[Finding, Observation]]) -> tuple[Finding, Observation]:
    """The first of the worst, as ``combined`` has it."""
    worst = combined(finding for finding, _ in found)
    return next(one for one in found if one[0] == worst)


def _clients(view: View) -> list[PodInfo]:
    """The client of each worker node, in the order of the nodes' names.

    Raises NotHere for a single node, NodeDown for a node that does not answer, MissingPeer without a client.
    """
    worker(view, 1)
    by_node = {pod.node: pod for pod in view.clients()}
    found = []
    for node in view.snapshot.workers:
        answering(view, node.name)
        if node.name not in by_node:
            raise no_client(node.name)
        found.append(by_node[node.name])
    return found


def _target(client: PodInfo) -> Target:
    return Target(client.ip, PORT, (client.ip,), pod=client)


def _ways(seen: Observation) -> Iterator[Observation]:
    """Each request with its answer, as if it had been asked alone."""
    by_ip = {pod.ip: pod for pod in seen.view.clients()}
    for (place, request), answer in zip(seen.step.sent, seen.answers, strict=True):
        target = _target(by_ip[urlsplit(request.url).hostname or ""])
        step = replace(seen.step, place=place, work=Work((request,), target=target))
        yield replace(seen, step=step, answers=(answer,))


def _named(way: Observation) -> str:
    target = way.step.work.target
    return f"from {way.step.place.node} to {target.pod.node}" if target and target.pod else ""
