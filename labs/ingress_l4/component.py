"""One Pod behind two load balancers that differ only in their traffic policy."""

from __future__ import annotations

from labs.containers import PORT_NAMES, server, serving_pod
from labs.lab import Lab

SIZE = ("20m", "50Mi")
POLICIES = ("Cluster", "Local")


class IngressL4(Lab):
    """A single replica: with two workers there is a node with a Pod and a node without one."""

    def build(self) -> None:
        """Deployment ``web`` and a Service of type LoadBalancer for each policy.

        The Services' selector is a constant: otherwise they would wait for the Deployment's Pods, and the
        provider then waits ten seconds more for a new Service's endpoints to settle. Half of the nodes have a
        Pod: where fewer are healthy, Envoy takes its health checks to be wrong and sends to all of them
        (healthy_panic_threshold), also to nodes that policy Local keeps from answering.
        """
        self.deployment(
            "web",
            max(1, (self.terms.workers + 1) // 2),
            serving_pod(
                {
                    "nginx": server(self.images, "nginx", 80, SIZE, started="/"),
                    "webapp": server(self.images, "webapp", 8080, SIZE),
                }
            ),
        )
        for policy in POLICIES:
            self.service(
                f"web-{policy.lower()}",
                PORT_NAMES,
                selects={"app": "web"},
                kind="LoadBalancer",
                policy=policy,
            )


COMPONENT = IngressL4
