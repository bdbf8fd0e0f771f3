"""How a node sends a packet on: by its policy rules in their order, then the longest prefix (ip-rule(8))."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from scripts.evidence.links import Network, Route

NOWHERE = ("blackhole", "unreachable", "prohibit")
"""Types of routes, and actions of policy rules, that end a packet's way (ip-route(8))."""
NAMES = {"254": "main", "255": "local", "253": "default"}


@dataclass(frozen=True)
class PolicyRule:
    """A policy rule: packets of this source and destination use this table, or go nowhere (``action``).

    None stands for every address.

    ``other`` says that it asks for more, such as a mark or an interface, so that it cannot be applied here.
    """

    priority: int
    source: Network | None = None
    destination: Network | None = None
    table: str = "main"
    action: str = ""
    other: bool = False

    def __str__(self) -> str:
        ends = [f"from {self.source}" if self.source else "from all"]
        ends += [f"to {self.destination}"] * (self.destination is not None)
        return f"{self.priority}: {' '.join(ends)} {self.action or f'lookup {self.table}'}"


def policies(told: Iterable[Mapping[str, Any]]) -> tuple[PolicyRule, ...]:
    """The rules of ``ip -j -4 rule show`` or ``-6``, in their order, as far as they can be read."""
    found = []
    for one in told:
        try:
            found.append(
                PolicyRule(
                    int(one["priority"]),
                    _network(one.get("src", "all"), one.get("srclen")),
                    _network(one.get("dst", "all"), one.get("dstlen")),
                    str(one.get("table", "")),
                    str(one.get("action", "")),
                    bool(
                        {*one} - {"priority", "src", "srclen", "dst", "dstlen", "table", "action", "protocol"}
                    ),
                )
            )
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(sorted(found, key=lambda rule: rule.priority))


def way(
    routes: Sequence[Route], rules: Sequence[PolicyRule], source: str, destination: str
) -> Route | PolicyRule | None:
    """The route that a packet takes, the rule or route by which it goes nowhere, or None where none fits."""
    here, there = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    for rule in rules or (PolicyRule(32766),):
        if rule.other or not (_covers(rule.source, here) and _covers(rule.destination, there)):
            continue
        if rule.action in NOWHERE:
            return rule
        fitting = [one for one in routes if _table(one.table) == _table(rule.table) and there in one.dst]
        if fitting:
            return max(fitting, key=lambda one: (one.dst.prefixlen, -one.metric))
    return None


def _covers(network: Network | None, address: IPv4Address | IPv6Address) -> bool:
    return network is None or address in network


def _network(ip: object, length: object) -> Network | None:
    """A rule's selector; one without a length is a single address."""
    if ip == "all":
        return None
    return ipaddress.ip_network(f"{ip}/{length}" if length is not None else str(ip), strict=False)


def _table(name: str) -> str:
    return NAMES.get(name, name)
