"""Reads what iproute2's ``ip -j`` and ``bridge -j`` print of a namespace: links, addresses, routes, ports.

Fields and interfaces that are not known here are passed over; what is no JSON list raises ValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

COMMANDS: Mapping[str, list[str]] = {
    "links": ["ip", "-j", "-d", "link", "show"],
    "addresses": ["ip", "-j", "-4", "addr", "show"],
    "routes": ["ip", "-j", "-4", "route", "show"],
    "fdb": ["bridge", "-j", "fdb", "show"],
}
"""What to run on a node for its ``Wiring``: ``read_wiring`` takes what each printed under the same key."""

EVERYWHERE = IPv4Network("0.0.0.0/0")
# "2: eth0@if11: <BROADCAST,UP> mtu 1500 … link/ether 46:dd:9f:0a:a8:de brd …", a line an interface
_LINE = re.compile(r"^(\d+): ([^\s@]+?)(?:@(?:if(\d+)|\S+?))?: .*\blink/\w+ ([0-9a-fA-F:]{17})\b")


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
    """A node's interfaces and routes. ``fdb`` tells behind which bridge port a MAC is: {mac: port}."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    fdb: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> Link | None:
        """The link of this name."""
        return next((link for link in self.links if link.name == name), None)


def read_wiring(outputs: Mapping[str, str]) -> Wiring:
    """A node's wiring out of what each of ``COMMANDS`` printed. Raises ValueError for an unreadable one."""
    return Wiring(
        tuple(links(outputs["links"])),
        tuple(addresses(outputs["addresses"])),
        tuple(routes(outputs["routes"])),
        fdb(outputs["fdb"]),
    )


def links(text: str) -> list[Link]:
    """The interfaces of ``ip -j -d link show``."""
    entries = [e for e in _entries(text, "ip link") if _number(e, "ifindex") and _text(e, "ifname")]
    indices = {_text(e, "ifname"): e["ifindex"] for e in entries}
    found = []
    for entry in entries:
        plain = "loopback" if _text(entry, "link_type") == "loopback" else "device"
        kind = _text(_object(entry, "linkinfo"), "info_kind") or plain
        # A veth whose other end is in the same namespace names it ("link") and gives no index.
        peer = _number(entry, "link_index") or indices.get(_text(entry, "link"))
        found.append(
            Link(
                entry["ifindex"],
                _text(entry, "ifname"),
                kind,
                _text(entry, "master"),
                # Other kinds name the device below them there, which is no other end.
                peer if kind == "veth" else None,
                _number(entry, "link_netnsid"),
                _text(entry, "address").lower(),
            )
        )
    return found


def look(text: str, name: str = "eth0") -> Look:
    """The interface ``name`` out of ``ip -j link show`` or ``ip -o link show`` (all or one) run in a Pod.

    Raises ValueError if it is not there.
    """
    seen = _json_looks(text) if text.lstrip().startswith("[") else _line_looks(text)
    for one in seen:
        if one.name == name:
            return one
    raise ValueError(f"The Pod shows no interface {name}: {_said(text)}.")


def addresses(text: str) -> list[Address]:
    """The IPv4 addresses of ``ip -j -4 addr show``."""
    found = []
    for entry in _entries(text, "ip addr"):
        infos = entry.get("addr_info")
        for info in infos if isinstance(infos, list) else []:
            if isinstance(info, dict) and _text(info, "family") == "inet":
                try:
                    ip = IPv4Interface(f"{_text(info, 'local')}/{_number(info, 'prefixlen')}")
                except ValueError:
                    continue
                found.append(Address(_text(entry, "ifname"), ip))
    return found


def routes(text: str) -> list[Route]:
    """The IPv4 routes of ``ip -j -4 route show``, of one table or all; a multipath route is several."""
    found = []
    for entry in _entries(text, "ip route"):
        try:
            dst = _text(entry, "dst")
            network = EVERYWHERE if dst == "default" else IPv4Network(dst, strict=False)
        except ValueError:
            continue
        hops = entry.get("nexthops")
        for hop in hops if isinstance(hops, list) else [entry]:
            if isinstance(hop, dict):
                found.append(_route(network, entry, hop))
    return found


def fdb(text: str) -> dict[str, str]:
    """Behind which bridge port each MAC is, out of ``bridge -j fdb show``: {mac: port}.

    A Pod's MAC is there once it has sent a frame and for 300 s after its last (the kernel's ageing time).
    """
    found = {}
    for entry in _entries(text, "bridge fdb"):
        # Entries without a master are a device's own (multicast, the far ends of a vxlan), no bridge's.
        if _text(entry, "mac") and _text(entry, "ifname") and _text(entry, "master"):
            found[_text(entry, "mac").lower()] = _text(entry, "ifname")
    return found


def _route(network: IPv4Network, entry: Mapping[str, Any], hop: Mapping[str, Any]) -> Route:
    flags = [flag for of in (entry, hop) for flag in (of.get("flags") or []) if isinstance(flag, str)]
    return Route(
        network,
        _text(hop, "dev"),
        # An IPv4 range behind an IPv6 gateway has "via": {"family": "inet6", "host": …} instead.
        _text(hop, "gateway") or _text(_object(hop, "via"), "host"),
        _text(entry, "scope") or "global",
        _text(entry, "type") or "unicast",
        _text(entry, "table") or "main",
        _number(entry, "metric") or 0,
        frozenset(flags),
    )


def _json_looks(text: str) -> list[Look]:
    return [
        Look(
            entry["ifindex"],
            _text(entry, "ifname"),
            _number(entry, "link_index"),
            _text(entry, "address").lower(),
        )
        for entry in _entries(text, "ip link")
        if _number(entry, "ifindex")
    ]


def _line_looks(text: str) -> list[Look]:
    found = []
    for line in text.splitlines():
        if seen := _LINE.match(line):
            index, name, peer, mac = seen.groups()
            found.append(Look(int(index), name, int(peer) if peer else None, mac.lower()))
    return found


def _entries(text: str, command: str) -> list[dict[str, Any]]:
    """The objects of a JSON list. iproute2 prints empty ones for what a filter left out."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{command} printed no JSON: {_said(text)}.") from None
    if not isinstance(read, list):
        raise ValueError(f"{command} printed JSON that is no list: {_said(text)}.")
    return [entry for entry in read if isinstance(entry, dict)]


def _said(text: str) -> str:
    return repr(text.strip()[:60]) if text.strip() else "nothing"


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _number(entry: Mapping[str, Any], key: str) -> int | None:
    value = entry.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}
