"""The kernel's drop reasons, on every kernel that may tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor as Threads
from contextlib import contextmanager

from scripts.evidence import dropreasons
from scripts.evidence.dropreasons import Dropped
from scripts.evidence.view import View
from scripts.transport.background import Background, start
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError, text_of


def kernels(view: View) -> dict[str, Place]:
    """Where to ask, by node: for nodes that podpath made itself the container of one for each kernel.

    Elsewhere it is the node agents, which may be forbidden to ask.
    """
    agents = {node: place for node, place in view.agent_places().items() if node not in view.silent}
    if not view.fenced:
        return agents
    boots = {node.name: node.boot for node in view.snapshot.nodes}
    one_each = {boots.get(node, node): node for node in sorted(agents, reverse=True)}
    return {node: Place(node) for node in sorted(one_each.values())}


def usable(view: View, execute: Executor) -> tuple[dict[str, Place], str]:
    """The places of ``kernels`` that may tell drop reasons, and in words why others may not."""
    refused: dict[str, str] = {}
    places = kernels(view)
    for node, place in places.items():
        try:
            start(execute, place, dropreasons.program(view.stack), dropreasons.READY).stop()
        except PodExecError as error:
            refused[node] = f"{place} may not read tracefs ({str(error).rpartition(': ')[2]})"
    told = "; ".join(refused.values()) if places else "no node can be asked"
    return {node: place for node, place in places.items() if node not in refused}, told


@contextmanager
def dropping(
    places: Mapping[str, Place],
    stack: str,
    execute: Executor,
    threads: Threads,
    raw: Callable[[str, CompletedExec], None],
) -> Iterator[list[Dropped]]:
    """Watches while the block runs; after it the list holds what was dropped. Never raises for a failure."""
    found: list[Dropped] = []

    def begin(node: str) -> Background | None:
        try:
            return start(execute, places[node], dropreasons.program(stack), dropreasons.READY)
        except PodExecError:
            return None

    def end(node: str, watching: Background | None) -> Iterable[Dropped]:
        try:
            done = watching.stop() if watching else None
        except PodExecError:
            return ()
        if done is None:
            return ()
        raw(f"drops-{node}", done)
        return dropreasons.read(text_of(done.stdout))

    begun = dict(zip(places, threads.map(begin, places), strict=True))
    try:
        yield found
    finally:
        for told in threads.map(end, begun, begun.values()):
            found += told
