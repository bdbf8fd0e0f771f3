"""`scripts/trace`: follows one request hop by hop, through every node and the gateway."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from labs.model import HEADER_CONTAINER, HEADER_NODE, HEADER_PEER, HEADER_POD, Get, Probe
from scripts.cluster.profile import profile_of
from scripts.commands.shell import Stack, start
from scripts.errors import EXIT_FAILED, EXIT_OK, PodpathError, UsageError
from scripts.evidence.agent import collect
from scripts.evidence.capture import capturing
from scripts.probing import curl
from scripts.probing.cluster import RealExecutor, view_of
from scripts.probing.directory import directory_of
from scripts.probing.executor import CompletedExec, PodExecError
from scripts.probing.peername import Where, destination_of, destinations, source_of, sources
from scripts.probing.places import agents
from scripts.probing.plan import plan_of
from scripts.probing.tracing import places, trace_of, wirings
from scripts.progress import say, step
from scripts.reporting.hops import drawn


def trace(
    source: Annotated[str, typer.Argument(metavar="FROM", help="client-1, outside, LAB/WORKLOAD …")] = "",
    to: Annotated[str, typer.Argument(metavar="TO", help="LAB/WORKLOAD:PORT, LAB/service/NAME:PORT …")] = "",
    stack: Stack = "kind",
    path: Annotated[str, typer.Option(help="The path of the request.")] = "/whoami",
    same: Annotated[bool, typer.Option("--same", help="To a Pod on the source's own node.")] = False,
    other: Annotated[bool, typer.Option("--other", help="To a Pod on another node.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the peers of the stack.")] = False,
) -> int:
    """Follows one request hop by hop: node, interface, addresses as carried there, and what changed."""
    profile = profile_of(stack)
    if not list_ and not (source and to):
        raise UsageError(
            "FROM and TO are missing: type scripts/trace client-1 pod-to-service/service/frontend:80."
        )
    if not path.startswith("/"):
        raise UsageError(f"the path {path!r} does not start with a slash: type --path /{path}.")
    view, kube = view_of(profile)
    if list_:
        print("FROM\n  " + "\n  ".join(sources(view)) + "\nTO\n  " + "\n  ".join(destinations(view)))
        return EXIT_OK
    where: Where = "same node" if same else "other node" if other else "any node"
    ask = Get(destination_of(to, view, where), path, traced=True)
    probe = Probe("trace", "trace", source_of(source, view), ask, ())
    plan = plan_of([("", probe)], view)
    for finding in plan.settled.values():
        raise PodpathError(f"{finding.why}.")
    (asked,), execute = plan.steps, RealExecutor(kube)

    def forget(name: str, done: CompletedExec) -> None:
        """A single trace keeps no raw output."""

    with ThreadPoolExecutor(12) as threads, step(f"trace {probe.source} → {ask.to}"):
        wiring = threads.submit(
            lambda: wirings(view, collect(agents(view), (), execute, threads, forget), execute)
        )
        with capturing(places(view), execute, threads, forget) as captures:
            try:
                done = execute(asked.place, curl.argv(), curl.render(asked.work.requests))
            except PodExecError as error:
                raise PodpathError(f"the request could not be sent: {error}.") from error
        wired = wiring.result()  # here: it starts jobs of its own in these threads
    seen = trace_of(asked, view, captures, wired)
    who = directory_of(view, wired).met(seen.hops)
    (answer,) = curl.parse(done.stdout, asked.work.requests).values()
    print(drawn(seen, f"{probe.source} → {ask.to}", who))
    print(f"\nanswer: {_told(answer)}")
    if seen.hops and not seen.answered:
        print(f"last seen: {seen.hops[-1].node} {seen.hops[-1].interface.name} {seen.hops[-1].direction}")
    if seen.problem:
        print(f"the trace may be incomplete: {seen.problem}")
    say(f"Next: scripts/probe {stack}")
    return EXIT_OK if seen.hops and not seen.problem else EXIT_FAILED


def _told(answer: curl.Answer | str) -> str:
    """What came back, in words."""
    if isinstance(answer, str):
        return answer
    if answer.exitcode:
        return f"none, {answer.error} (curl exit {answer.exitcode})"
    server = answer.server
    who = f"{server.get(HEADER_POD, 'somebody without an identity')}/{server.get(HEADER_CONTAINER, '')}"
    where = f" on {server[HEADER_NODE]}" if HEADER_NODE in server else ""
    saw = f", which saw {server[HEADER_PEER]}" if HEADER_PEER in server else ""
    return f"HTTP {answer.status} from {who}{where}{saw}"


if __name__ == "__main__":
    start(trace)
