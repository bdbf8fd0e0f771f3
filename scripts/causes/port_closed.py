"""A Pod refuses connections: nothing listens at the port that a Service or a probe sends to."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Scene
from scripts.ends import parted
from scripts.evidence.snapshot import PodInfo


def find(scene: Scene) -> Iterator[Cause]:
    """Each address and port from which a refusal came, sent by the Pod itself."""
    seen: dict[str, set[str]] = {}
    for red in scene.reds:
        for one in red.failing:
            back = [hop for hop in one.trace.hops if hop.way == "reply"]
            if one.refused and back and back[0].interface.kind == "pod" and back[0].direction == "in":
                seen.setdefault(back[0].src, set()).add(red.id)
    for end, ids in seen.items():
        ip, port = parted(end)
        pod = next((pod for pod in scene.view.snapshot.pods if pod.ip == ip), None)
        if pod is None:
            continue
        yield Cause(
            "port_closed",
            f"nothing listens at port {port} of Pod {pod.name}",
            (f"{end} answered the SYN by a RST that came out of the Pod itself, on {pod.node}",),
            frozenset(ids),
            node=pod.node,
            look=_look(scene, pod),
            mend=remade(scene),
        )


def _look(scene: Scene, pod: PodInfo) -> str:
    """Shows who listens: in a Pod of ours, which has the program for it; of others the API's view."""
    ours = {of.get("namespace") for of in scene.view.exports.get("labs", {}).values()}
    if pod.namespace in ours:
        return scene.view.place(pod).command("ss", "-ltn")
    return f"kubectl -n {pod.namespace} describe pod {pod.name}"
