"""A node's links, addresses, routes and bridge ports, and how to ask iproute2 for them.

``scripts.evidence.iproute`` reads the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network

COMMANDS: Mapping[str, list[str]] = {
    "links": ["ip", "-j", "-d", "link", "show"],
    "addresses": ["ip", "-j", "-4", "addr", "show"],
    "routes": ["ip", "-j", "-4", "route", "show"],
    "fdb": ["bridge", "-j", "fdb", "show"],
}
"""What to run on a node for its ``Wiring``: ``read_wiring`` takes the output of each under the same key."""

EVERYWHERE = IPv4Network("0.0.0.0/0")


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
    """An IPv4 address with its prefix, and the interface that owns it."""

    dev: str
    ip: IPv4Interface


@dataclass(frozen=True)
class Route:
    """One next hop of an IPv4 route: ``via`` is the gateway, empty for a destination on the link itself."""

    dst: IPv4Network
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
