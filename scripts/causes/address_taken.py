"""A node has the address of a Pod among its own: packets for the Pod end there."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.scene import Cause, Red, Scene, agent
from scripts.ends import ip_of


def find(scene: Scene) -> Iterator[Cause]:
    """Each address of a Pod, or of two Pods, that an interface of a node has."""
    hosted = {node.ip for node in scene.view.snapshot.nodes}
    pods = {pod.ip: pod for pod in scene.view.snapshot.pods if pod.ip and pod.ip not in hosted}
    for node, view in scene.kernel.nodes.items():
        for address in view.wiring.addresses:
            ip = str(address.ip.ip)
            if ip in pods:
                yield Cause(
                    "address_taken",
                    f"{address.dev} of {node} has {ip}, which is that of Pod {pods[ip].name}",
                    (f"ip addr show {address.dev} on {node}: {address.ip}",),
                    scene.ids(red for red in scene.reds if _meets(red, ip)),
                    node=node,
                    look=agent(scene, node, "ip", "addr", "show", address.dev),
                    mend=agent(scene, node, "ip", "addr", "del", str(address.ip), "dev", address.dev),
                )


def _meets(red: Red, ip: str) -> bool:
    """Whether it asks this address, or is translated to it, or asks from it."""
    ends = {ip_of(hop.dst) for one in red.tries for hop in one.trace.hops}
    own = red.place.ip if red.place else ""
    return ip in ends or ip == own or (red.target is not None and ip in (red.target.address, *red.target.ips))
