"""One request from a peer to another, followed hop by hop."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from scripts.checks.base import Probe, Step
from scripts.checks.peers import Destination, Source
from scripts.checks.request import Get
from scripts.clusters.base import Cluster
from scripts.errors import PodpathError
from scripts.evidence import curl, ruletrace
from scripts.evidence.capture import Captured, capturing
from scripts.evidence.directory import directory_of
from scripts.evidence.nodeview import collect, commands
from scripts.evidence.trace import Interface
from scripts.evidence.view import View
from scripts.runs.document import TraceRecord
from scripts.suite.collect import openers_of
from scripts.suite.hoprules import with_rules
from scripts.suite.monitors import markers, monitoring
from scripts.suite.plan import plan_of
from scripts.suite.receipt import trace_record
from scripts.suite.tracing import interfaces, places, trace_of, wirings
from scripts.transport.executor import CompletedExec, Conclusive, PodExecError
from scripts.transport.tokens import token

TRIED = 100
"""Source ports of which the first free one is taken: a connection that has ended holds its port a minute."""


@dataclass(frozen=True)
class Followed:
    """A request's trace, and what came back.

    ``captured`` and ``interfaces`` are by the name of the place, the latter by index; ``nonce`` is the text
    that the request carries.
    """

    trace: TraceRecord
    answer: curl.Answer | str
    nonce: str
    captured: Mapping[str, Captured]
    interfaces: Mapping[str, Mapping[int, Interface]]


def step_of(source: Source, to: Destination, path: str, view: View) -> Step:
    """The request as it will be sent; raises PodpathError where a peer cannot be found."""
    plan = plan_of([("", Probe("trace", "trace", source, Get(to, (), path, traced=True)))], view)
    for finding in plan.settled.values():
        raise PodpathError(f"{finding.why}.")
    return plan.steps[0]


def follow(source: Source, to: Destination, path: str, view: View, cluster: Cluster) -> Followed:
    """Sends one GET while every node and the gateway capture; raises PodpathError if it cannot be sent."""
    step, execute = step_of(source, to, path, view), Conclusive(cluster.execute)
    requests = tuple(replace(one, port=_first_port(), ports=TRIED) for one in step.work.requests)
    marked, asked = openers_of([step], view), commands((), families=view.snapshot.families)
    with ThreadPoolExecutor(16) as threads:
        kernel = threads.submit(collect, view.agent_places(), asked, execute, threads, _forget)
        with (
            monitoring(markers(view, gateway=True), execute, threads, _forget, marked) as passages,
            capturing(places(view), execute, threads, _forget) as captures,
        ):
            try:
                done = execute(step.place, curl.argv(), curl.render(requests))
            except PodExecError as error:
                raise PodpathError(f"the request could not be sent: {error}.") from error
        nodes = kernel.result()
        wired = wirings(view, nodes, execute)
    packets = trace_of(step, view, captures, wired)
    (answer,) = curl.parse(done.stdout, requests).values()
    trace = trace_record(packets, directory_of(view, wired).met(packets.hops))
    return Followed(
        with_rules(trace, passages, {node: seen.rules for node, seen in nodes.nodes.items()}),
        answer,
        requests[0].nonce,
        captures.by_place,
        {name: interfaces(wiring, name, view) for name, wiring in wired.items()},
    )


def _first_port() -> int:
    """Where the search for a free port begins: elsewhere each time, so no kernel knows the connection."""
    ports = ruletrace.PORTS[:-TRIED]
    return ports[int(token(4, "trace"), 16) % len(ports)]


def _forget(name: str, done: CompletedExec) -> None:
    """A single trace keeps no raw output."""
