"""Netfilter's own trace of marked packets, on every node at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor as Threads
from concurrent.futures import Future
from contextlib import contextmanager

from scripts.evidence import ruletrace
from scripts.evidence.ruletrace import Marked, Passage
from scripts.evidence.view import View
from scripts.suite.tracing import places
from scripts.tiers import Tier
from scripts.transport.background import Background, start
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError, text_of


def markers(view: View, gateway: bool = False) -> dict[str, Place]:
    """The node agents that may mark packets: a mark is a rule, which only the highest tier allows.

    ``gateway``: and the gateway to the outside, where there is one.
    """
    if view.tier < Tier.BREAK:
        return {}
    return places(view) if gateway else view.agent_places()


@contextmanager
def monitoring(
    agents: Mapping[str, Place],
    execute: Executor,
    threads: Threads,
    raw: Callable[[str, CompletedExec], None],
    marked: Marked = Marked(),  # noqa: B008
) -> Iterator[list[Passage]]:
    """Marks packets on every node while the block runs; after it the list holds what the kernels named.

    Connections from ``ruletrace.PORTS`` are marked, and what ``marked`` says besides. A node whose monitor
    fails names nothing; never raises for it.
    """
    heard: list[Passage] = []
    argv = ruletrace.program(marked)

    def begin(node: str) -> Background | None:
        try:
            return start(execute, agents[node], argv, ruletrace.READY)
        except PodExecError:
            return None

    def end(node: str, monitor: Future[Background | None]) -> tuple[Passage, ...]:
        running = monitor.result()
        if running is None:
            return ()
        try:
            done = running.stop()
        except PodExecError:
            return ()
        raw(f"rules-{node}", done)
        return ruletrace.read(text_of(done.stdout), node)

    begun = {node: threads.submit(begin, node) for node in agents}
    for future in begun.values():
        future.result()
    try:
        yield heard
    finally:
        for told in [threads.submit(end, node, future) for node, future in begun.items()]:
            heard += told.result()
