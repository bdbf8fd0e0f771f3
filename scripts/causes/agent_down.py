"""A node has no ready node-agent, so its kernel's view is missing."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Red, Scene
from scripts.causes.told import is_ready
from scripts.checks.verdict import Failure


def find(scene: Scene) -> Iterator[Cause]:
    """Each node without one."""
    platform = scene.view.exports.get("platform")
    if not platform or "agent" not in platform or not scene.pods:
        return
    labels = dict(part.split("=", 1) for part in platform["agent"].get("selector", "").split(",") if part)
    ready = {
        pod["spec"].get("nodeName")
        for pod in scene.pods
        if labels.items() <= (pod["metadata"].get("labels") or {}).items() and is_ready(pod)
    }
    for node in scene.view.snapshot.nodes:
        if node.name not in ready and node.name not in scene.view.silent:
            yield Cause(
                "agent_down",
                f"no node-agent is ready on {node.name}, so its kernel cannot be asked",
                (f"no ready Pod of DaemonSet node-agent has spec.nodeName {node.name}",),
                scene.ids(red for red in scene.reds if _blind(red, node.name)),
                node=node.name,
                look="kubectl -n podpath-system get pods -o wide",
                mend=remade(scene),
            )


def _blind(red: Red, node: str) -> bool:
    """Whether it lacks what the node's agent would have told."""
    blind = red.failure in (Failure.NO_EVIDENCE, Failure.TRANSPORT, Failure.MISSING_PEER)
    return blind and ("agent" in red.why or node in red.why) and (node in red.why or red.node == node)
