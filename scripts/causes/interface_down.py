"""An interface that Pods' packets pass is down, blocked, or not a port of the Pods' bridge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from scripts.causes.scene import Cause, Red, Scene, agent, crosses
from scripts.evidence.nodestate import NodeState

FAILED = ("FAILED", "INCOMPLETE")


def find(scene: Scene) -> Iterator[Cause]:
    """Each such interface; the Pod behind it is named where the bridge still knows it."""
    for node, _, state in scene.nodes():
        ports = Counter(
            device.master for device in state.devices.values() if device.kind == "veth" and device.master
        )
        bridge = ports.most_common(1)[0][0] if ports else ""
        for device in state.devices.values():
            pod = device.kind == "veth"
            if pod and bridge and not device.master and device.name != "eth0":
                yield _cause(
                    scene,
                    node,
                    device.name,
                    "veth_off_bridge",
                    f"{device.name} of {node} is no port of {bridge}, as the other Pods' are",
                    _back(device.name, bridge, state),
                    state,
                )
            elif not device.up and (
                pod or device.name in (bridge, "eth0") or device.kind in ("vxlan", "bridge")
            ):
                yield _cause(
                    scene,
                    node,
                    device.name,
                    "interface_down",
                    f"{device.name} of {node} is down",
                    ("ip", "link", "set", device.name, "up"),
                    state,
                )
            elif device.blocking and device.up and _is_up(state, device.master):
                yield _cause(
                    scene,
                    node,
                    device.name,
                    "interface_down",
                    f"{device.name} of {node} is a port that its bridge does not forward to",
                    ("bridge", "link", "set", "dev", device.name, "state", "3"),
                    state,
                )


def _back(device: str, bridge: str, state: NodeState) -> tuple[str, ...]:
    """Makes it a port again, as the others are: with hairpin where they have it (bridge(8))."""
    join = ("ip", "link", "set", device, "master", bridge)
    if not any(one.hairpin for one in state.devices.values() if one.master == bridge):
        return join
    return ("sh", "-c", f"{' '.join(join)} && bridge link set dev {device} hairpin on")


def _is_up(state: NodeState, bridge: str) -> bool:
    """Whether a bridge is up: one that is down forwards to no port."""
    return bridge not in state.devices or state.devices[bridge].up


def _cause(
    scene: Scene, node: str, device: str, kind: str, what: str, mend: tuple[str, ...], state: NodeState
) -> Cause:
    def hit(red: Red) -> bool:
        ends = [hop for one in red.failing for hop in one.trace.hops]
        if any((hop.node, hop.interface.name) == (node, device) for hop in ends):
            return True
        if device in red.why and (node in red.why or crosses(red, node)):
            return True
        deaf = {ip for ip, at in state.neighbours.items() if at in FAILED}
        ips = {*(red.target.ips if red.target else ()), *(hop.dst.rpartition(":")[0] for hop in ends)}
        mine = red.place.ip if red.place else ""
        unseen = bool(red.failing) and red.node == node and not any(one.trace.hops for one in red.failing)
        return (bool(red.failing) and crosses(red, node) and bool(deaf & (ips | {mine}))) or unseen

    pods = [
        pod.name
        for pod in scene.view.snapshot.pods
        if pod.node == node and state.neighbours.get(pod.ip) in FAILED
    ]
    behind = f"; the bridge gets no answer of {', '.join(sorted(pods))}" if pods else ""
    return Cause(
        kind=kind,
        what=what,
        node=node,
        evidence=(f"ip -d link show {device} says so on {node}{behind}",),
        explains=scene.ids(filter(hit, scene.reds)),
        look=agent(scene, node, "ip", "-d", "link", "show", device),
        mend=agent(scene, node, *mend),
    )
