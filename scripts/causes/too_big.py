"""Packets over a certain size are lost, by an interface with a smaller MTU or by something unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from scripts.causes.scene import Cause, Scene, agent
from scripts.checks.verdict import Failure

HEAD = 350
"""Octets of IP, TCP and HTTP headers that a replayed request has beside its padding, about."""


def find(scene: Scene) -> Iterator[Cause]:
    """An interface whose MTU is below its likes on other nodes; else the size found by trying sizes."""
    lost = {red.id for red in scene.reds if red.failure is Failure.SIZE_LOST}
    if not lost:
        return
    odd = [*_odd(scene)]
    for node, device, mtu, usual in odd:
        yield Cause(
            kind="wrong_mtu",
            what=f"{device} of {node} takes packets of {mtu} octets only, those of the other nodes {usual}",
            node=node,
            evidence=(f"MTU of {device}: {mtu} on {node}, {usual} elsewhere; {_sizes(scene)}",),
            explains=frozenset(lost)
            | scene.ids(red for red in scene.reds if red.failure is Failure.PACKETS_LOST),
            look=agent(scene, node, "ip", "-d", "link", "show", device),
            mend=agent(scene, node, "ip", "link", "set", device, "mtu", str(usual)),
        )
    dropped = {red.id for red in scene.reds if any(any(one.ends) for one in red.tries)}
    again = {red.id for red in scene.reds if _threshold(scene, red.id)} & lost - dropped
    if not odd and again:
        nodes = sorted({red.node for red in scene.reds if red.id in again and red.node})
        yield Cause(
            kind="too_big",
            what=f"large packets are lost on the way from {', '.join(nodes) or 'outside'}: {_sizes(scene)}",
            evidence=(_sizes(scene),),
            explains=frozenset(again),
            look=agent(scene, nodes[0], "ip", "-d", "-s", "link", "show") if nodes else "ip -d -s link show",
        )


def _odd(scene: Scene) -> Iterator[tuple[str, str, int, int]]:
    """Uplinks, bridges and tunnels whose MTU is smaller than that of the same interface on most nodes."""
    mtus: dict[str, dict[str, int]] = {}
    for node, _, state in scene.nodes():
        for device in state.devices.values():
            if device.kind != "veth" or device.name == "eth0":
                mtus.setdefault(device.name, {})[node] = device.mtu
    for name, by_node in mtus.items():
        counted = Counter(by_node.values())
        usual = max(counted, key=lambda mtu: (counted[mtu], mtu))
        yield from ((node, name, mtu, usual) for node, mtu in by_node.items() if mtu < usual)


def _sizes(scene: Scene) -> str:
    """Which request sizes were answered in the replay."""
    found = (_threshold(scene, id) for id in scene.sizes)
    return next(filter(None, found), "the sizes that pass were not found in the replay")


def _threshold(scene: Scene, id: str) -> str:
    """The sizes that a red's replay found to pass and to be lost; empty where it found no such border."""
    sizes = scene.sizes.get(id, {})
    passing = [size for size, passed in sizes.items() if passed]
    lost = [size for size, passed in sizes.items() if not passed]
    if passing and lost and max(passing) < min(lost):
        return (
            f"requests of {max(passing) + HEAD} octets passed in the replay, of {min(lost) + HEAD} were lost"
        )
    return (
        "requests of every size passed in the replay, so it is the answers that are lost"
        if passing and not lost and id in scene.known and scene.known[id].failing
        else ""
    )
