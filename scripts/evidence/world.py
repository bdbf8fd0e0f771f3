"""The world outside a cluster, as it was made: names of containers, and addresses."""

from __future__ import annotations

from dataclasses import dataclass

GATEWAY = "gateway"
"""The name of the gateway among the nodes, for its captures and interfaces."""


@dataclass(frozen=True)
class OutsideWorld:
    """Names (of containers) and addresses outside the cluster; ``gateway_ip`` faces the nodes.

    ``host`` sees the engine's host, whose ``bridges`` carry the stack's networks and whose nftables table
    ``fence`` closes them.
    """

    outside: str
    outside_ip: str
    near: str
    near_ip: str
    gateway: str
    gateway_ip: str
    gateway_outside_ip: str
    host: str
    fence: str
    bridges: tuple[str, ...]
