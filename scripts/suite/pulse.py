"""Finds out which nodes answer at all, before anything else is asked of them, so that none delays the others.

The API server takes 40 s to call a node NotReady whose kubelet has fallen silent (node-monitor-grace-period);
until then, and for as long as nobody evicts its Pods, every exec there would wait for its whole time limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from scripts.evidence.view import View
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError, PodExecLimit

PATIENCE = 3.0
"""Seconds that a node's agent has to end a program that does nothing: a busy one takes less than one."""


class NodeSilent(PodExecLimit):
    """The node does not answer, so nothing is run there."""


@dataclass(frozen=True)
class Guarded:
    """An executor that runs nothing on silent nodes (name → why): it raises NodeSilent at once.

    ``agents`` are the node agents by node: the one of a node on which a program takes too long is asked
    whether the node still answers. One that does not is silent from then on.
    """

    execute: Executor
    silent: Mapping[str, str]
    agents: Mapping[str, Place] = field(default_factory=dict)
    _fallen: dict[str, str] = field(default_factory=dict, init=False)

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        """Runs ``argv`` at ``place``; see ``Executor``."""
        self._refuse(place.node)
        try:
            return self.execute(place, argv, stdin, timeout)
        except PodExecLimit:
            if place.node in self.agents and (why := _silence(self.agents[place.node], self.execute)):
                self._fallen[place.node] = why
            self._refuse(place.node)
            raise

    def _refuse(self, node: str) -> None:
        if why := self.silent.get(node) or self._fallen.get(node):
            raise NodeSilent(f"node {node} does not answer: {why}")


def silent_nodes(view: View, execute: Executor) -> dict[str, str]:
    """The nodes that are not ready, or whose agent does not answer, each with the reason."""
    silent = {node.name: "the API reports it as not ready" for node in view.snapshot.nodes if not node.ready}
    places = {node: place for node, place in view.agent_places().items() if node not in silent}

    with ThreadPoolExecutor(max(1, len(places))) as threads:
        asked = threads.map(lambda place: _silence(place, execute), places.values())
        reasons = dict(zip(places, asked, strict=True))
    return silent | {node: why for node, why in reasons.items() if why}


def _silence(agent: Place, execute: Executor) -> str:
    """Why a node is called silent, by its agent, or an empty text."""
    try:
        execute(agent, ["true"], b"", PATIENCE)
    except PodExecLimit:
        return f"its node-agent did not run a program within {PATIENCE:g} s"
    except PodExecError:
        return ""  # a missing agent is reported by the probes that need it
    return ""
