"""A node's connection table is full: it drops what would be a new connection."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from scripts.causes.scene import Cause, Scene, agent, crosses, on_node

NEARLY = 0.9
LOSSES = ("drop", "early_drop", "insert_failed")
"""What ``conntrack -S`` calls connections that found no room (kernel: nf_conntrack-sysctl)."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each node whose table is at its limit and that dropped connections during the replay."""
    for node, before, after in scene.nodes():
        count, most = (after.number(f"netfilter/nf_conntrack_{what}") for what in ("count", "max"))
        grown = {what: more for what in LOSSES if (more := after.grown(before, what)) > 0}
        if most > 0 and grown and count >= NEARLY * most:
            yield Cause(
                kind="conntrack_full",
                what=f"the connection table of {node} is full: {count} of {most} entries",
                node=node,
                evidence=(
                    f"nf_conntrack_count {count}, nf_conntrack_max {most}; in the replay "
                    + ", ".join(f"{what} grew by {more}" for what, more in grown.items()),
                ),
                explains=scene.ids(red for red in scene.reds if bool(red.failing) and crosses(red, node)),
                look=agent(scene, node, "conntrack", "-S"),
                mend=_mend(scene, node, 2 * most),
            )


def _mend(scene: Scene, node: str, most: int) -> str:
    """Only the first network namespace of a kernel may set it: not a node's that is a container."""
    command = ("sysctl", "-w", f"net.netfilter.nf_conntrack_max={most}")
    return shlex.join(command) if scene.view.fenced else on_node(scene, node, *command)
