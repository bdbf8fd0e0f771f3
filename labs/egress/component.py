"""A Pod that goes out. The world outside is not part of the cluster: `scripts/up` makes it beside it."""

from __future__ import annotations

from labs.containers import server, serving_pod
from labs.lab import Lab

SIZE = ("20m", "32Mi")


class Egress(Lab):
    """One Deployment ``traveller``; nginx also answers, so that others can try to reach its Pod."""

    def build(self) -> None:
        """One Pod, no Service: nothing here listens for the way back but the kernel."""
        self.deployment("traveller", 1, serving_pod({"nginx": server(self.images, "nginx", 80, SIZE)}))


COMPONENT = Egress
