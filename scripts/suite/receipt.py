"""The receipt of a probe: the four raw views of what it observed, and its trace."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from scripts.checks.base import Observation
from scripts.evidence.directory import directory_of
from scripts.evidence.trace import Trace
from scripts.runs.document import HopRecord, ReceiptRecord, TraceRecord
from scripts.suite.hoprules import with_rules

MOST = 200
"""Answers that a receipt keeps; of more than these, those that failed come first."""


def receipt_of(seen: Observation) -> ReceiptRecord:
    """The receipt of an observation; a view that should be there and is not leaves a gap."""
    if len(seen.answers) > MOST:
        kept = sorted(seen.answers, key=lambda one: not one.exitcode)[:MOST]
        seen = replace(seen, answers=tuple(kept))
    gaps = {}
    if seen.view.blind:
        gaps["kernel"] = f"no kernel is looked at ({seen.view.blind})"
    elif seen.answers and (problem := seen.kernel.problem(_nodes(seen))):
        gaps["kernel"] = problem
    if seen.lost:
        gaps["client"] = seen.lost.why
    client: list[Any] = [{"nonce": answer.nonce, **answer.client} for answer in seen.answers]
    client += [
        {"command": key, "output": o.text, "exitcode": o.returncode} for key, o in seen.outputs.items()
    ]
    trace = _trace(seen) if seen.trace else None
    return ReceiptRecord(
        client=client,
        server=[answer.server for answer in seen.answers if answer.server],
        kernel=[*_tracked(seen), *_counted(seen), *_hops(seen, trace)],
        api=_api(seen),
        gaps=gaps,
        trace=trace,
    )


def trace_record(trace: Trace, met: dict[str, str]) -> TraceRecord:
    """A trace as a run's document has it."""
    return TraceRecord(
        hops=[
            HopRecord(
                leg=hop.leg,
                way=hop.way,
                node=hop.node,
                interface=hop.interface.name,
                kind=hop.interface.kind,
                label=hop.interface.label,
                bridge=hop.interface.bridge,
                direction=hop.direction,
                source=hop.src,
                destination=hop.dst,
                micros=hop.micros,
                changed=[*hop.changed],
            )
            for hop in trace.hops
        ],
        met=met,
        answer=trace.answer,
        retransmissions=trace.retransmissions,
        problem=trace.problem,
    )


def _trace(seen: Observation) -> TraceRecord:
    assert seen.trace is not None
    wired = {node: kernel.wiring for node, kernel in seen.kernel.nodes.items()}
    record = trace_record(seen.trace, directory_of(seen.view, wired).met(seen.trace.hops))
    return with_rules(record, seen.passages, {node: of.rules for node, of in seen.kernel.nodes.items()})


def _nodes(seen: Observation) -> list[str]:
    nodes = {place.node for place in seen.step.places} - {""}
    return sorted(nodes) or [node.name for node in seen.view.snapshot.workers]


def _tracked(seen: Observation) -> list[str]:
    pairs = [pair for answer in seen.answers for pair in seen.entries(answer)]
    if pairs or not seen.answers or seen.kernel.problem(_nodes(seen)):
        return [f"{node}: {entry.line}" for node, entry in pairs]
    return [f"{node}: no such connection was tracked" for node in _nodes(seen)]


def _counted(seen: Observation) -> list[str]:
    """What the rules that concern the probe counted during the run, on the nodes of the probe."""
    target, lines = seen.step.work.target, []
    for node in _nodes(seen):
        if target and target.service:
            lines += seen.kernel.counted(node, f"{target.service.namespace}/{target.service.name}")
        lines += seen.step.probe.check.counted(seen, node)
    return lines


def _hops(seen: Observation, trace: TraceRecord | None) -> list[str]:
    """The trace in lines, after the names of the addresses in it."""
    if trace is None or seen.trace is None:
        return []
    return [*(f"{address} is {name}" for address, name in trace.met.items()), *map(str, seen.trace.hops)]


def _api(seen: Observation) -> dict[str, Any]:
    place, target = seen.step.place, seen.step.work.target
    objects: dict[str, Any] = {"source": f"{place} {place.ip} on {place.node}" if place.node else str(place)}
    if seen.facts is not None:
        objects.update(asdict(seen.facts))
    if target and target.pod:
        objects["pod"] = f"{target.pod.name} {target.pod.ip} on {target.pod.node} (uid {target.pod.uid})"
    if target and target.service:
        behind = seen.view.endpoints(target.lab, target.service.name)
        objects["service"] = f"{target.service.name} {target.service.cluster_ip}"
        objects["endpoints"] = [f"{endpoint.pod} {endpoint.ip}" for endpoint in behind]
    return objects
