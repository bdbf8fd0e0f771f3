"""A node does not answer, or the API calls it not ready."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import of_cluster
from scripts.causes.scene import Cause, Red, Scene
from scripts.checks.verdict import Failure
from scripts.ends import ip_of

_ALL = frozenset(
    {
        "no_route",
        "rule_drops",
        "pod_not_ready",
        "proxy_dead",
        "proxy_frozen",
        "agent_down",
        "interface_down",
    }
)


def find(scene: Scene) -> Iterator[Cause]:
    """Each silent node; what is wrong there besides cannot be seen."""
    for node, why in _silent(scene).items():
        yield Cause(
            "node_down",
            f"node {node} does not answer: {why}",
            (why,),
            scene.ids(red for red in scene.reds if _needs(red, node, scene)),
            node=node,
            look=f"kubectl describe node {node}",
            mend=of_cluster(scene),
            hides=_ALL,
        )


def _silent(scene: Scene) -> dict[str, str]:
    """The nodes that do not answer, with the reason: at the run's start, or by a look at them since."""
    found = dict(scene.view.silent)
    for red in scene.reds if not found else ():
        for node in scene.view.snapshot.nodes:
            if red.failure is Failure.NODE_DOWN and f"{node.name}, which does not answer: " in red.why:
                found.setdefault(node.name, red.why.rpartition("which does not answer: ")[2])
    return found


def _needs(red: Red, node: str, scene: Scene) -> bool:
    if red.failure is Failure.NODE_DOWN:
        return node in red.why
    if node in red.why or red.node == node:
        return True
    ends = {ip_of(hop.dst) for one in red.failing for hop in one.trace.hops}
    if any(scene.node_of(ip) == node for ip in ends):
        return True
    behind = scene.view.snapshot.endpoints.get(red.service, ()) if red.service else ()
    return bool(red.failing) and any(one.node == node for one in behind)
