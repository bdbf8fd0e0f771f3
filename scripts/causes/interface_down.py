"""An interface that Pods' packets pass is down, blocked, or not a port of the Pods' bridge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from scripts.causes.scene import Cause, Red, Scene, Try, agent, crosses
from scripts.causes.told import flooded, looks_up
from scripts.ends import ip_of
from scripts.evidence.nodestate import NodeState
from scripts.evidence.udpask import Echo

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
                down = _cause(
                    scene,
                    node,
                    device.name,
                    "interface_down",
                    f"{device.name} of {node} is down",
                    ("ip", "link", "set", device.name, "up"),
                    state,
                )
                behind = _behind(scene, node) if device.name == bridge else frozenset()
                yield replace(down, explains=down.explains | behind)
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


def _behind(scene: Scene, node: str) -> frozenset[str]:
    """The reds whose packets need the bridge of a node's Pods, which is down: they are from or to such a Pod.

    They ended on the node, whose route to the Pods is gone too, or a load balancer sent them there.
    """
    own = scene.view.snapshot.node_ip(node)
    pods = {pod.ip for pod in scene.view.snapshot.pods if pod.node == node and pod.ip != own}
    opened = {ip_of(one.source) for one in scene.passages if one.opens and ip_of(one.destination) in pods}

    def ended(one: Try) -> bool:
        if isinstance(one.answer, Echo):  # its packets are known by the rules that they met
            met = {ip_of(end) for way in one.passages for end in (way.source, way.destination)}
            return bool(met & pods)
        hop = one.last("reply") or one.last("request")
        ends = {ip_of(end) for end in (hop.src, hop.dst)} if hop else set[str]()
        return hop is not None and hop.node == node and bool(ends & pods)

    return scene.ids(
        red
        for red in scene.reds
        if any(map(ended, red.failing))
        or (red.failing and red.askers & opened)
        or (looks_up(red) and red.place is not None and red.place.ip in pods)
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
    def floods(red: Red) -> list[tuple[str, str]]:
        return [flooded(one.trace) for one in red.failing]

    def hit(red: Red) -> bool:
        ends = [hop for one in red.failing for hop in one.trace.hops]
        if any((hop.node, hop.interface.name) == (node, device) for hop in ends):
            return True
        if device in red.why and (node in red.why or crosses(red, node)):
            return True
        if any(at == node and scene.node_of(ip) == node for at, ip in floods(red)):
            return True
        deaf = {ip for ip, at in state.neighbours.items() if at in FAILED}
        ips = {*(red.target.ips if red.target else ()), *(ip_of(hop.dst) for hop in ends)}
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
