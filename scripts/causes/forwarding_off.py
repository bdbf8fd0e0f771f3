"""A node does not forward packets: forwarding is off for the node, or for an interface."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import switch, switched
from scripts.causes.scene import Cause, Scene, crosses

WHOLE = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
"""The switches of a whole node, of which a scene has the one of its family (kernel: ip-sysctl)."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each node whose switches say so."""
    for node, _, state in scene.nodes():
        off = [name for name in state.switches if name.endswith("/forwarding") and state.number(name) == 0]
        off = [name for name in off if name.split("/")[2] in state.devices or name.split("/")[2] == "all"]
        whole = [name for name in WHOLE if state.number(name) == 0]
        used = [
            name for name in off if state.devices.get(name.split("/")[2]) and _carries(name.split("/")[2])
        ]
        for name in whole or used:
            dotted = "net." + name.replace("/", ".")
            yield Cause(
                kind="forwarding_off",
                what=f"{node} does not forward packets: {dotted} is 0",
                node=node,
                evidence=(f"{dotted} = 0 on {node}",),
                explains=scene.ids(red for red in scene.reds if bool(red.failing) and crosses(red, node)),
                look=switch(scene, node, name),
                mend=switched(scene, node, name, 1),
            )


def _carries(device: str) -> bool:
    """Whether Pods' packets pass this interface."""
    return device == "eth0" or device.startswith(("cbr", "cni", "veth", "flannel", "br"))
