"""A node's links, addresses, routes and bridge ports, and how to ask iproute2 for them.

``scripts.evidence.iproute`` reads the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

COMMANDS: Mapping[str, list[str]] = {
    "links": ["ip", "-j", "-d", "link", "show"],
    "addresses": ["ip", "-j", "-4", "addr", "show"],
    "routes": ["ip", "-j", "-4", "route", "show"],
    "fdb": ["bridge", "-j", "fdb", "show"],
}
"""What to run on a node for its ``Wiring``: ``read_wiring`` takes the output of each under the same key."""

COMMANDS_V6: Mapping[str, list[str]] = {
    "addresses-v6": ["ip", "-j", "-6", "addr", "show"],
    "routes-v6": ["ip", "-j", "-6", "route", "show"],
}
"""What to run beside these on a node with IPv6."""

Network = IPv4Network | IPv6Network
EVERYWHERE = IPv4Network("0.0.0.0/0")
EVERYWHERE_V6 = IPv6Network("::/0")


def within(inner: Network, outer: Network) -> bool:
    """Whether a network is a part of another one; of two families none is."""
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


@dataclass(frozen=True)
class Link:
    """An interface. ``peer`` is the index that a veth's other end has in its own namespace, ``netns``."""

    ifindex: int
    name: str
    kind: str
    """``veth``, ``bridge``, ``vxlan`` … as the kernel calls it; ``loopback``; else ``device``."""
    master: str = ""
    """The bridge (or other device) that it is a port of."""
    peer: int | None = None
    netns: int | None = None
    mac: str = ""
    mtu: int = 0


@dataclass(frozen=True)
class Address:
    """An address with its prefix, and the interface that owns it."""

    dev: str
    ip: IPv4Interface | IPv6Interface


@dataclass(frozen=True)
class Route:
    """One next hop of a route: ``via`` is the gateway, empty for a destination on the link itself."""

    dst: Network
    dev: str = ""
    via: str = ""
    scope: str = "global"
    type: str = "unicast"
    table: str = "main"
    metric: int = 0
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Look:
    """A Pod's own look at its interface; ``peer`` is the index of the other end on the node, if any."""

    ifindex: int
    name: str
    peer: int | None
    mac: str


@dataclass(frozen=True)
class Wiring:
    """A node's interfaces and routes. ``fdb`` maps a MAC to the bridge port in front of it."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    fdb: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> Link | None:
        """The link of this name."""
        return next((link for link in self.links if link.name == name), None)
