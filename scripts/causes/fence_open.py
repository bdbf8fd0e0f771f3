"""A half of the fence is missing: what should not leave the machine could."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import remade
from scripts.causes.scene import HOST, Cause, Scene, agent
from scripts.checks.verdict import Failure

_RULES = ("iptables", "-nvL", "PODPATH-FENCE")
_TABLE = ("nft", "list", "tables")


def find(scene: Scene) -> Iterator[Cause]:
    """What the fence's own probe read from the tables: that is the evidence."""
    for red in scene.reds:
        if red.failure is Failure.NOT_FENCED:
            node = next((node.name for node in scene.view.snapshot.nodes if node.name in red.why), "")
            yield Cause(
                "fence_open",
                f"the fence is open: {red.why}",
                (red.why,),
                frozenset({red.id}),
                node=node,
                look=agent(scene, node or HOST, *(_RULES if node else _TABLE)),
                mend=remade(scene),
            )
