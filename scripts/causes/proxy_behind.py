"""A node's rules send a Service elsewhere than its endpoints, although kube-proxy answers there."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import rewritten
from scripts.causes.scene import Cause, Scene, agent
from scripts.causes.told import service_of, translated
from scripts.checks.table import misdirected


def find(scene: Scene) -> Iterator[Cause]:
    """Each node and Service that some red asks."""
    asked = {red.service: service for red in scene.reds if (service := service_of(red, scene))}
    for key, service in asked.items():
        behind = scene.view.snapshot.endpoints.get(key, ()) if key else ()
        for node, view in scene.kernel.nodes.items():
            if view.problem or view.rules.mode not in ("iptables", "nftables"):
                continue
            if difference := misdirected(service, behind, node, view.rules):
                yield Cause(
                    kind="proxy_behind",
                    what=f"the rules of {node} for Service {service.name} are not those of its endpoints",
                    node=node,
                    evidence=(difference,),
                    explains=scene.ids(
                        red for red in scene.reds if red.service == key and translated(red, node, scene)
                    ),
                    look=agent(scene, node, f"{scene.iptables}-save", "-c", "-t", "nat"),
                    mend=rewritten(scene, node),
                )
