"""Reads what iproute2's ``ip -j`` and ``bridge -j`` print: links, addresses, routes, bridge ports.

Unknown fields and interfaces are skipped; anything but a JSON list raises ValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_interface, ip_network
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from scripts.ends import family_of
from scripts.evidence.links import EVERYWHERE, EVERYWHERE_V6, Address, Link, Look, Network, Route, Wiring

Line = TypeVar("Line", bound=BaseModel)
# "2: eth0@if11: <BROADCAST,UP> mtu 1500 … link/ether 46:dd:9f:0a:a8:de brd …", a line an interface
_LINE = re.compile(r"^(\d+): ([^\s@]+?)(?:@(?:if(\d+)|\S+?))?: .*\blink/\w+ ([0-9a-fA-F:]{17})\b")


def read_wiring(outputs: Mapping[str, str]) -> Wiring:
    """A node's wiring from the output of each of ``COMMANDS``. Raises ValueError for an unreadable one."""
    return Wiring(
        tuple(links(outputs["links"])),
        (*addresses(outputs["addresses"]), *addresses(outputs.get("addresses-v6", "[]"))),
        (*routes(outputs["routes"]), *routes(outputs.get("routes-v6", "[]"))),
        fdb(outputs["fdb"]),
    )


class _Printed(BaseModel):
    """What iproute2 prints of one thing; it prints an empty object for what a filter left out."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


_OBJECT = BeforeValidator(lambda value: value if isinstance(value, dict) else {})
"""What is no object says nothing; the rest of its entry counts."""


class _LinkInfo(_Printed):
    info_kind: str = ""


class _LinkLine(_Printed):
    ifindex: int = 0
    ifname: str = ""
    link_type: str = ""
    linkinfo: Annotated[_LinkInfo, _OBJECT] = _LinkInfo()
    link: str | None = None
    link_index: int | None = None
    link_netnsid: int | None = None
    master: str = ""
    address: str = ""
    mtu: int = 0


class _AddressInfo(_Printed):
    family: str = ""
    local: str = ""
    prefixlen: int = -1


class _AddressLine(_Printed):
    ifname: str = ""
    addr_info: list[_AddressInfo] = []


class _Via(_Printed):
    """An IPv6 gateway of an IPv4 range."""

    host: str = ""


class _Hop(_Printed):
    dev: str = ""
    gateway: str = ""
    via: Annotated[_Via, _OBJECT] = _Via()
    flags: list[str] = []


class _RouteLine(_Hop):
    dst: str = ""
    scope: str = "global"
    type: str = "unicast"
    table: str = "main"
    metric: int = 0
    nexthops: list[_Hop] = []


class _FdbLine(_Printed):
    mac: str = ""
    ifname: str = ""
    master: str = ""


def links(text: str) -> list[Link]:
    """The interfaces of ``ip -j -d link show``."""
    lines = [line for line in _read(text, "ip link", _LinkLine) if line.ifindex and line.ifname]
    indices = {line.ifname: line.ifindex for line in lines}
    found = []
    for line in lines:
        kind = line.linkinfo.info_kind or ("loopback" if line.link_type == "loopback" else "device")
        # A veth whose other end is in the same namespace names it ("link") and gives no index; other kinds
        # name the device below them there, which is no other end.
        peer = (line.link_index or indices.get(line.link or "")) if kind == "veth" else None
        mac = line.address.lower()
        found.append(
            Link(line.ifindex, line.ifname, kind, line.master, peer, line.link_netnsid, mac, line.mtu)
        )
    return found


def look(text: str, name: str = "eth0") -> Look:
    """The interface ``name`` from ``ip -j link show`` or ``ip -o link show`` (all or one) run in a Pod.

    Raises ValueError if it is not there.
    """
    seen = _json_looks(text) if text.lstrip().startswith("[") else _line_looks(text)
    for one in seen:
        if one.name == name:
            return one
    raise ValueError(f"The Pod shows no interface {name}: {_said(text)}.")


def addresses(text: str) -> list[Address]:
    """The addresses of ``ip -j addr show``; those of the link alone (fe80::) are left out."""
    found = []
    for line in _read(text, "ip addr", _AddressLine):
        for info in line.addr_info:
            with suppress(ValueError):
                ip = ip_interface(f"{info.local}/{info.prefixlen}")
                if not ip.is_link_local or ip.version == 4:
                    found.append(Address(line.ifname, ip))
    return found


def routes(text: str) -> list[Route]:
    """The routes of ``ip -j -4 route show`` or ``-6``, of one table or all; a multipath route is several."""
    found = []
    for line in _read(text, "ip route", _RouteLine):
        with suppress(ValueError):
            for hop in line.nexthops or [line]:
                every = EVERYWHERE_V6 if family_of(hop.gateway) == 6 else EVERYWHERE
                network = every if line.dst == "default" else ip_network(line.dst, strict=False)
                found.append(_route(network, line, hop))
    return found


def fdb(text: str) -> dict[str, str]:
    """The bridge port that each MAC is behind, from ``bridge -j fdb show``: {mac: port}.

    A Pod's MAC is there once it has sent a frame and for 300 s after its last (the kernel's ageing time).
    Entries without a master are a device's own (multicast, the far ends of a vxlan), no bridge's.
    """
    lines = _read(text, "bridge fdb", _FdbLine)
    return {line.mac.lower(): line.ifname for line in lines if line.mac and line.ifname and line.master}


def _route(network: Network, line: _RouteLine, hop: _Hop) -> Route:
    return Route(
        network,
        hop.dev,
        hop.gateway or hop.via.host,
        line.scope,
        line.type,
        line.table,
        line.metric,
        frozenset([*line.flags, *hop.flags]),
    )


def _json_looks(text: str) -> list[Look]:
    return [
        Look(line.ifindex, line.ifname, line.link_index, line.address.lower())
        for line in _read(text, "ip link", _LinkLine)
        if line.ifindex
    ]


def _line_looks(text: str) -> list[Look]:
    found = []
    for line in text.splitlines():
        if seen := _LINE.match(line):
            index, name, peer, mac = seen.groups()
            found.append(Look(int(index), name, int(peer) if peer else None, mac.lower()))
    return found


def _read(text: str, command: str, model: type[Line]) -> list[Line]:
    """The objects of a JSON list; one that is not of the form is passed over."""
    try:
        printed = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{command} printed no JSON: {_said(text)}.") from None
    if not isinstance(printed, list):
        raise ValueError(f"{command} printed JSON that is no list: {_said(text)}.")
    found = []
    for entry in printed:
        with suppress(ValidationError):
            found.append(model.model_validate(entry))
    return found


def _said(text: str) -> str:
    return repr(text.strip()[:60]) if text.strip() else "nothing"
