"""The article's Pod ``frontend``: nginx on 80 as reverse proxy of the Java application on 8080."""

from __future__ import annotations

from pulumi_kubernetes.core import v1

from labs.containers import server, serving_pod
from labs.lab import Lab

SIZE = ("50m", "50Mi")


class ContainerToContainer(Lab):
    """One Pod, two containers, no Service: nothing outside the cluster can reach it."""

    def build(self) -> None:
        """The Pod as printed, without labels."""
        frontend = v1.Pod(
            self.urn_name("frontend"),
            metadata=self.meta("frontend"),
            spec=serving_pod(
                {
                    "nginx": server(self.images, "nginx", 80, SIZE),
                    "webapp": server(self.images, "webapp", 8080, SIZE, command=["catalina.sh", "run"]),
                },
                restart_policy="OnFailure",
            ),
            opts=self.gone_with_namespace(),
        )
        self.exports["pods"]["frontend"] = {"name": frontend.metadata.name}


COMPONENT = ContainerToContainer
