"""A bridge does not send a frame back to the port it came from: a Pod cannot reach itself by its Service."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.scene import Cause, Red, Scene, agent
from scripts.ends import end_of, ip_of


def find(scene: Scene) -> Iterator[Cause]:
    """Each node with such ports (bridge(8)), where a replay was translated to its own source."""
    for node, _, state in scene.nodes():
        off = [device for device in state.devices.values() if device.master and device.hairpin is False]
        on = [device for device in state.devices.values() if device.master and device.hairpin]
        hit = scene.ids(red for red in scene.reds if red.node == node and _to_itself(red))
        if off and hit:
            yield Cause(
                kind="hairpin_off",
                what=f"the bridge {off[0].master} of {node} does not send back what comes from the same port",
                node=node,
                evidence=(
                    f"hairpin is off on {len(off)} of its {len(off) + len(on)} ports: "
                    f"{', '.join(device.name for device in off[:6])}; the Service chose the Pod that asked",
                ),
                explains=hit,
                look=agent(scene, node, "bridge", "-d", "link", "show"),
                mend=agent(scene, node, "bridge", "link", "set", "dev", off[0].name, "hairpin", "on")
                if len(off) == 1
                else agent(
                    scene,
                    node,
                    "sh",
                    "-c",
                    f"for port in /sys/class/net/{off[0].master}/brif/*; do "
                    "bridge link set dev ${port##*/} hairpin on; done",
                ),
            )


def _to_itself(red: Red) -> bool:
    """Whether a failing replay was translated to the address of the Pod that asked."""
    own = red.place.ip if red.place else ""
    ends = [ip_of(end) for one in red.failing for p in one.passages for end in (p.destination,)]
    ends += [ip_of(hop.dst) for one in red.failing for hop in one.trace.hops if hop.way == "request"]
    rewritten = [rule.text for one in red.failing for p in one.passages for rule in p.rules if rule.rewrites]
    return bool(own) and (
        own in ends or any(f"--to-destination {end_of(own, '')}" in text for text in rewritten)
    )
