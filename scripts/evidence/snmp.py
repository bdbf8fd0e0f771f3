"""Reads the kernel's counters of IP, ICMP, UDP and TCP (RFC 4022, proc_net(5))."""

from __future__ import annotations

import re

COUNTERS = ("cat", "/proc/net/snmp", "/proc/net/netstat")
"""Prints the counters of the network namespace in which it runs."""


def counters(text: str) -> dict[str, int]:
    """The counters that ``COUNTERS`` printed, by name: each group is a line of names and one of numbers."""
    rows: dict[str, list[str]] = {}
    for group, told in re.findall(r"^(\w+): (.+)$", text, re.MULTILINE):
        rows.setdefault(group, []).append(told)
    found: dict[str, int] = {}
    for pair in rows.values():
        if len(pair) == 2:
            found |= {name: int(n) for name, n in zip(*map(str.split, pair), strict=False) if n.isdecimal()}
    return found
