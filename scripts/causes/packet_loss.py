"""Packets are lost by chance, and an interface's counters say where."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.scene import Cause, Scene, agent
from scripts.checks.verdict import Failure


def find(scene: Scene) -> Iterator[Cause]:
    """Each interface that dropped packets during the replay, where loss was seen."""
    lost = scene.ids(red for red in scene.reds if red.failure is Failure.PACKETS_LOST)
    for node, before, after in scene.nodes():
        for name, device in after.devices.items():
            grown = device.dropped - before.devices[name].dropped if name in before.devices else 0
            if lost and grown > 0:
                yield Cause(
                    kind="packet_loss",
                    what=f"{name} of {node} drops packets",
                    node=node,
                    evidence=(f"its counters of dropped packets grew by {grown} in the replay",),
                    explains=lost,
                    look=agent(scene, node, "ip", "-s", "link", "show", name),
                )
