"""What one probe brought home, ready to be judged, and its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from labs.model import HEADER_PEER, HEADER_POD, Masqueraded
from scripts.evidence.agent import Kernel
from scripts.evidence.conntrack import Entry
from scripts.evidence.rules import Rules
from scripts.evidence.trace import Trace
from scripts.probing.curl import Answer
from scripts.probing.directory import directory_of
from scripts.probing.plan import Step
from scripts.probing.sections import Output
from scripts.probing.verdict import Finding, Receipt
from scripts.probing.view import View


@dataclass(frozen=True)
class Observation:
    """A step's answers and outputs, beside the API's and the kernel's view of the same moment.

    ``outputs`` are by the last part of their command's key; ``facts`` are what a scenario noted;
    ``trace`` are a traced request's packets; ``lost`` is set when what came back cannot be believed.
    """

    step: Step
    view: View
    kernel: Kernel = field(default_factory=Kernel)
    answers: tuple[Answer, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    trace: Trace | None = None
    lost: Finding | None = None

    def entries(self, answer: Answer) -> list[tuple[str, Entry]]:
        """(node, entry) of the answer's connection, as every node that saw it tracked it.

        curl does not tell the local port of a connection that failed; then all attempts at the same
        address and port count.
        """
        target = self.step.work.target
        if not answer.connected:
            return self.kernel.index.at((target.address, target.port)) if target else []
        server = self.pod_ips.get(answer.server.get(HEADER_POD, ""), "")
        seen = self.kernel.index.of(answer.local, answer.remote, server)
        if answer.local[0].startswith("127."):
            return seen  # a peer's port alone could be a connection of the node's own
        peer = answer.server.get(HEADER_PEER, "")
        behind = self.kernel.index.towards(peer, server or answer.remote[0])
        return seen + [pair for pair in behind if pair not in seen]

    @cached_property
    def pod_ips(self) -> dict[str, str]:
        """The IPs of all Pods of the lab that is asked, by name, as the API has them."""
        target = self.step.work.target
        namespace = self.view.namespace(target.lab if target and target.lab else self.step.lab)
        return {pod.name: pod.ip for pod in self.view.snapshot.pods if pod.namespace == namespace}


def receipt_of(seen: Observation) -> Receipt:
    """The four views of one probe, raw; a view that should be there and is not leaves a gap."""
    gaps = {}
    if seen.answers and (problem := seen.kernel.problem(_nodes(seen))):
        gaps["kernel"] = problem
    if seen.lost:
        gaps["client"] = seen.lost.why
    client: list[Any] = [{"nonce": answer.nonce, **answer.client} for answer in seen.answers]
    client += [
        {"command": key, "output": o.text, "exitcode": o.returncode} for key, o in seen.outputs.items()
    ]
    return Receipt(
        client,
        [answer.server for answer in seen.answers if answer.server],
        [*_tracked(seen), *_counted(seen), *_hops(seen)],
        _api(seen),
        gaps,
    )


def _nodes(seen: Observation) -> list[str]:
    place = seen.step.place
    return [place.node] if place.node else [node.name for node in seen.view.snapshot.workers]


def _tracked(seen: Observation) -> list[str]:
    pairs = [pair for answer in seen.answers for pair in seen.entries(answer)]
    if pairs or not seen.answers or seen.kernel.problem(_nodes(seen)):
        return [f"{node}: {entry.line}" for node, entry in pairs]
    return [f"{node}: no such connection was tracked" for node in _nodes(seen)]


def _counted(seen: Observation) -> list[str]:
    """What the rules that concern the probe counted during the run, on the nodes of the probe."""
    target, told = seen.step.work.target, []
    masked = any(isinstance(expected, Masqueraded) for expected in seen.step.probe.expect)
    for node in _nodes(seen):
        if target and target.service:
            told += seen.kernel.counted(node, f"{target.service.namespace}/{target.service.name}")
        grown = seen.kernel.grown.get(node, Rules())
        for rule in grown.masquerades if masked else ():
            if rule.packets:
                told.append(f"{node}: rule -A {rule.chain} {rule.rule} counted +{rule.packets}")
    return told


def _hops(seen: Observation) -> list[str]:
    """The trace, after the names of all that it met."""
    if not seen.trace:
        return []
    wired = {node: kernel.wiring for node, kernel in seen.kernel.nodes.items()}
    met = directory_of(seen.view, wired).met(seen.trace.hops)
    return [*(f"{address} is {name}" for address, name in met.items()), *map(str, seen.trace.hops)]


def _api(seen: Observation) -> dict[str, Any]:
    place, target = seen.step.place, seen.step.work.target
    told: dict[str, Any] = {"source": f"{place} {place.ip} on {place.node}" if place.node else str(place)}
    told.update(seen.facts)
    if target and target.pod:
        told["pod"] = f"{target.pod.name} {target.pod.ip} on {target.pod.node} (uid {target.pod.uid})"
    if target and target.service:
        behind = seen.view.endpoints(target.lab, target.service.name)
        told["service"] = f"{target.service.name} {target.service.cluster_ip}"
        told["endpoints"] = [f"{endpoint.pod} {endpoint.ip}" for endpoint in behind]
    return told
