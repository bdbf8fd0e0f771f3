"""A Pod's environment names other addresses or ports of a Service than the Service has now."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Scene
from scripts.checks.verdict import Failure


def find(scene: Scene) -> Iterator[Cause]:
    """Each Pod whose environment was read and differs: the kubelet writes it when a container starts."""
    for red in scene.reds:
        if red.failure is Failure.NO_VARIABLES and red.place:
            yield Cause(
                "stale_variables",
                f"the environment of Pod {red.place.pod} is not that of the Services as they are now",
                (red.why,),
                frozenset({red.id}),
                look=red.place.command("env"),
                mend=remade(scene),
            )
