"""Frames that a node's bridge forwards bypass netfilter: Services' answers are not translated back."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import switch, switched
from scripts.causes.scene import Cause, Scene

SWITCH = "bridge/bridge-nf-call-iptables"


def find(scene: Scene) -> Iterator[Cause]:
    """Each node with a bridge of Pods whose switch is off (kernel: Documentation/networking/ip-sysctl)."""
    for node, _, state in scene.nodes():
        bridged = any(device.master and device.kind == "veth" for device in state.devices.values())
        if state.number(SWITCH) == 0 and bridged:
            yield Cause(
                kind="bridge_filter_off",
                what=f"on {node} netfilter does not see what the bridge forwards",
                node=node,
                evidence=(
                    "net.bridge.bridge-nf-call-iptables = 0: an answer between two Pods of one bridge "
                    "does not meet the rules that would translate it back",
                ),
                explains=scene.ids(red for red in scene.reds if red.node == node and bool(red.service)),
                look=switch(scene, node, SWITCH),
                mend=switched(scene, node, SWITCH, 1),
            )
