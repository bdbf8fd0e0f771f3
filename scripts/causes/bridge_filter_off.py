"""Frames that a node's bridge forwards bypass netfilter: Services' answers are not translated back."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import switch, switched
from scripts.causes.scene import Cause, Scene

SWITCHES = {4: "bridge/bridge-nf-call-iptables", 6: "bridge/bridge-nf-call-ip6tables"}
"""By the family of addresses."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each node with a bridge of Pods whose switch is off (kernel: Documentation/networking/ip-sysctl)."""
    name = SWITCHES[scene.view.snapshot.family]
    for node, _, state in scene.nodes():
        bridged = any(device.master and device.kind == "veth" for device in state.devices.values())
        if state.number(name) == 0 and bridged:
            yield Cause(
                kind="bridge_filter_off",
                what=f"on {node} netfilter does not see what the bridge forwards",
                node=node,
                evidence=(
                    f"net.{name.replace('/', '.')} = 0: an answer between two Pods of one bridge "
                    "does not meet the rules that would translate it back",
                ),
                explains=scene.ids(red for red in scene.reds if red.node == node and bool(red.service)),
                look=switch(scene, node, name),
                mend=switched(scene, node, name, 1),
            )
