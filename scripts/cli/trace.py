"""`scripts/trace`: follows one request hop by hop, through every node and the gateway."""

from __future__ import annotations

import shlex
import sys
from shutil import get_terminal_size
from typing import Annotated

import typer

from scripts.cli._arguments import Stack
from scripts.cli._predicting import ask, review
from scripts.cli._restoring import restore_alone
from scripts.clusters.base import cluster_of
from scripts.errors import EXIT_FAILED, EXIT_OK, UsageError
from scripts.evidence import curl
from scripts.evidence.identity import HEADER_CONTAINER, HEADER_NODE, HEADER_PEER, HEADER_POD
from scripts.evidence.view import NotHere, View
from scripts.progress import say, step
from scripts.reporting.hops import drawn
from scripts.reporting.html.page import render_trace
from scripts.reporting.output import STDOUT, writable, written
from scripts.runs.traced import TracedRequest
from scripts.stack.profile import profile_of
from scripts.suite.against import record_of
from scripts.suite.follow import Followed, follow, step_of
from scripts.suite.packetfile import packet_file, without_one_clock
from scripts.suite.peername import Where, destination_of, destinations, source_of, sources
from scripts.suite.questions import outcome, questions_of
from scripts.tiers import Tier


def trace(
    source: Annotated[str, typer.Argument(metavar="FROM", help="client-1, outside, LAB/WORKLOAD …")] = "",
    to: Annotated[str, typer.Argument(metavar="TO", help="LAB/WORKLOAD:PORT, LAB/service/NAME:PORT …")] = "",
    stack: Stack = "kind",
    path: Annotated[str, typer.Option(help="The path in the request's URL.")] = "/whoami",
    same: Annotated[bool, typer.Option("--same", help="Ask a Pod on the source's own node.")] = False,
    other: Annotated[bool, typer.Option("--other", help="Ask a Pod on another node.")] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", help="Ask by the IPv6 addresses of FROM and TO.")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="List what FROM and TO can be on this stack.")
    ] = False,
    predict: Annotated[
        bool,
        typer.Option(
            "--predict", help="First ask you what will happen: a letter or an address for each line."
        ),
    ] = False,
    json: Annotated[
        str, typer.Option(metavar="FILE", help="Write the trace as JSON; - is standard output.")
    ] = "",
    pcap: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Write its packets as pcapng, for Wireshark; - is standard output."
        ),
    ] = "",
    html: Annotated[str, typer.Option(metavar="FILE", help="Draw the trace as a page; - as above.")] = "",
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show every rule that was met, not only the decisive ones."),
    ] = False,
) -> int:
    """Follows one request hop by hop: node, interface, addresses, what changed there, and by which rule."""
    profile = profile_of(stack)
    if not list_ and not (source and to):
        raise UsageError(
            "FROM and TO are required: try scripts/trace client-1 pod-to-service/service/frontend:80."
        )
    if same and other:
        raise UsageError("--same and --other exclude each other: choose one.")
    if not path.startswith("/"):
        raise UsageError(f"the path {path!r} does not start with a slash: type --path /{path}.")
    if [json, pcap, html].count(STDOUT) > 1:
        raise UsageError("only one of --json, --pcap and --html can write to standard output.")
    if profile.tier < Tier.KERNEL:
        raise UsageError(f"a trace {Tier.KERNEL.needed}, and stack {stack} allows less.")
    writable(json, pcap, html)
    restore_alone(profile)
    cluster = cluster_of(profile)
    view = _by_ipv6(cluster.look()) if ipv6 else cluster.look()
    if list_:
        print("FROM\n  " + "\n  ".join(sources(view)) + "\nTO\n  " + "\n  ".join(destinations(view)))
        return EXIT_OK
    where: Where = "same node" if same else "other node" if other else "any node"
    begin, end = source_of(source, view), destination_of(to, view, where)
    questions = questions_of(step_of(begin, end, path, view), view) if predict else []
    predicted = ask(questions) if predict else []
    with step(f"trace {begin} → {end}"):
        followed = follow(begin, end, path, view, cluster)
    title, seen = f"{begin} → {end}", followed.trace
    if json:
        record = TracedRequest(
            schema=1,
            stack=profile.stack,
            source=str(begin),
            destination=str(end),
            path=path,
            answer=_told(followed.answer),
            trace=seen,
        )
        written(json, record.text() + "\n")
    if pcap:
        _write_packets(pcap, followed, title, without_one_clock(seen, view, cluster.execute))
    if html:
        written(html, render_trace(seen, title, _told(followed.answer), record_of(view)))
    if STDOUT not in (json, pcap, html):
        _print(followed, title, verbose)
    if predict:
        outcomes = [outcome(*pair, seen) for pair in zip(questions, predicted, strict=True)]
        review(outcomes, say if STDOUT in (json, pcap, html) else print)
    say(f"Next: scripts/probe {stack}")
    return EXIT_OK if seen.hops and not seen.problem else EXIT_FAILED


def _by_ipv6(view: View) -> View:
    try:
        return view.by(6)
    except NotHere as why:
        raise UsageError(
            f"--ipv6 needs a cluster of two families: {why}; try scripts/up kind-dual."
        ) from None


def _write_packets(file: str, followed: Followed, title: str, without_clock: str) -> None:
    data, packets, interfaces = packet_file(followed, title, without_clock)
    written(file, data)
    say(f"{packets} packets at {interfaces} interfaces are in {'the output' if file == STDOUT else file}")
    if file != STDOUT:
        say(f"open it: wireshark -o tcp.analyze_sequence_numbers:FALSE {shlex.quote(file)}")
        say("(else it takes a packet that it sees at the next interface for a retransmission)")
    if without_clock:
        say(f"their order between nodes is unknown, and no rewriting is told: {without_clock}")


def _print(followed: Followed, title: str, verbose: bool) -> None:
    seen = followed.trace
    print(drawn(seen, title, get_terminal_size().columns if sys.stdout.isatty() else 0, verbose))
    print(f"\nanswer: {_told(followed.answer)}")
    if seen.hops and not seen.answer:
        print(f"last seen: {seen.hops[-1].node} {seen.hops[-1].interface} {seen.hops[-1].direction}")
    if seen.problem:
        print(f"the trace may be incomplete: {seen.problem}")


def _told(answer: curl.Answer | str) -> str:
    """What came back, in words."""
    if isinstance(answer, str):
        return answer
    if answer.exitcode:
        return f"none, {answer.error} (curl exit {answer.exitcode})"
    server = answer.server
    who = f"{server.get(HEADER_POD, 'a server without an identity')}/{server.get(HEADER_CONTAINER, '')}"
    where = f" on {server[HEADER_NODE]}" if HEADER_NODE in server else ""
    saw = f", which saw {server[HEADER_PEER]}" if HEADER_PEER in server else ""
    return f"HTTP {answer.status} from {who}{where}{saw}"
