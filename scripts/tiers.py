"""The tiers of what podpath does on a cluster: a check says which it needs, a cluster which it allows."""

from __future__ import annotations

from enum import IntEnum


class Tier(IntEnum):
    """How far something goes; a cluster that allows one allows those below it."""

    LOOK = 0
    """Get and list only."""
    PODS = 1
    """Pods of Pod Security ``restricted`` in namespaces of our own, and programs run in them."""
    DOORS = 2
    """Node ports, load balancers, Ingresses and Gateways."""
    KERNEL = 3
    """The node agent: the nodes' network, NET_ADMIN and NET_RAW."""
    BREAK = 4
    """Faults: damage that is undone."""

    @property
    def word(self) -> str:
        """What it is called in a sentence."""
        return ("look", "restricted Pods", "doors", "kernel view", "break")[self]

    @property
    def needed(self) -> str:
        """Why something is skipped below it."""
        return f"needs tier {self.value} ({self.word})"
