"""A Service sends to a port by a name that no container of its Pods gives to any port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Red, Scene


def find(scene: Scene) -> Iterator[Cause]:
    """Each such port of a Service that some red asks, where the Service selects any Pod."""
    for key in sorted({red.service for red in scene.reds if red.service}):
        known = scene.view.snapshot.services.get(key)
        chosen = {pod.name for pod in scene.view.snapshot.pods if known and known.selects(pod)}
        pods = [pod for pod in scene.pods if _is_of(pod, key[0], chosen)]
        for service in scene.services:
            if pods and (service["metadata"]["namespace"], service["metadata"]["name"]) == key:
                for port in service["spec"].get("ports") or ():
                    target = port.get("targetPort")
                    if isinstance(target, str) and target not in _names(pods):
                        yield _cause(scene, key, port, target, pods)


def _is_of(pod: Mapping[str, Any], namespace: str, names: set[str]) -> bool:
    return pod["metadata"]["namespace"] == namespace and pod["metadata"]["name"] in names


def _names(pods: Sequence[Mapping[str, Any]]) -> set[str]:
    containers = (one for pod in pods for one in pod["spec"].get("containers") or ())
    return {str(port["name"]) for one in containers for port in one.get("ports") or () if port.get("name")}


def _cause(
    scene: Scene,
    key: tuple[str, str],
    port: Mapping[str, Any],
    target: str,
    pods: Sequence[Mapping[str, Any]],
) -> Cause:
    def asks(red: Red) -> bool:
        by = (port["port"], port.get("nodePort"))
        return red.service == key and red.target is not None and red.target.port in by

    namespace, name = key
    named = ", ".join(sorted(_names(pods))) or "none has a name"
    return Cause(
        "target_port",
        f"Service {name} sends port {port['port']} to a port named {target}, which none of its Pods has",
        (f"spec.ports: {port['port']} → targetPort {target}; ports of its {len(pods)} Pods: {named}",),
        scene.ids(filter(asks, scene.reds)),
        look=f"kubectl -n {namespace} get service {name} -o yaml",
        mend=remade(scene),
    )
