"""The state of a node that decides what becomes of packets: rules, switches, links, routes, counters.

One exec a node, before and after reds are asked again; what differs in between is what they met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.evidence.iproute import routes
from scripts.evidence.links import Route
from scripts.evidence.netfilter import Ruleset, read_ruleset
from scripts.evidence.routing import PolicyRule, policies
from scripts.evidence.snmp import COUNTERS, counters
from scripts.transport.frames import Output

_SWITCHES = (
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/sys/net/ipv4/conf/*/rp_filter",
    "/proc/sys/net/ipv4/conf/*/forwarding",
)
_SWITCHES_V6 = (
    "/proc/sys/net/bridge/bridge-nf-call-ip6tables",
    "/proc/sys/net/ipv6/conf/*/forwarding",
)
COMMANDS: Mapping[str, list[str]] = {
    "rules": ["iptables-save", "-c"],
    "links": ["ip", "-j", "-d", "-s", "link", "show"],
    "ports": ["bridge", "-j", "-d", "link", "show"],
    "routes": ["ip", "-j", "-4", "route", "show", "table", "all"],
    "policies": ["ip", "-j", "-4", "rule", "show"],
    "neighbours": ["ip", "-j", "-4", "neigh", "show"],
    "switches": ["sh", "-c", f"grep -s . {' '.join(_SWITCHES)}; true"],
    "counters": [*COUNTERS],
    "tracking": ["conntrack", "-S"],
    "queues": ["tc", "-j", "-s", "qdisc", "show"],
    "proxy": ["curl", "-s", "--max-time", "1", "http://127.0.0.1:10249/proxyMode"],
}
"""What to run in a node's agent; ``read_state`` takes the output of each under the same key."""
COMMANDS_V6: Mapping[str, list[str]] = {
    "rules-v6": ["ip6tables-save", "-c"],
    "routes-v6": ["ip", "-j", "-6", "route", "show", "table", "all"],
    "policies-v6": ["ip", "-j", "-6", "rule", "show"],
    "neighbours-v6": ["ip", "-j", "-6", "neigh", "show"],
    "switches-v6": ["sh", "-c", f"grep -s . {' '.join(_SWITCHES_V6)}; true"],
}
"""What to run besides on a node with IPv6."""
REFUSED, TIMED_OUT = 7, 28
"""curl's exit codes: nothing listens; nothing came in time."""


@dataclass(frozen=True)
class Device:
    """An interface and what it and its queue dropped. ``hairpin``, ``learning``: only of a bridge's port."""

    name: str
    mtu: int = 0
    up: bool = True
    kind: str = ""
    master: str = ""
    hairpin: bool | None = None
    learning: bool | None = None
    blocking: bool = False
    dropped: int = 0


@dataclass(frozen=True)
class NodeState:
    """What a node's kernel says of itself. ``problem`` says why it is empty.

    ``switches`` are by their path below /proc/sys/net; ``neighbours`` are states by address;
    ``policies`` are the policy rules in their order;
    ``counters`` are TCP's and IP's (proc(5)); ``tracking`` sums conntrack's over the processors.
    """

    ruleset: Ruleset = field(default_factory=Ruleset)
    devices: Mapping[str, Device] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    neighbours: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    tracking: Mapping[str, int] = field(default_factory=dict)
    proxy: str = ""
    """kube-proxy's mode as it reports it."""
    proxy_exit: int | None = None
    """curl's exit code when it was asked; None if it was not."""
    problem: str = ""
    policies: tuple[PolicyRule, ...] = ()

    def number(self, switch: str) -> int:
        """A switch as a number; -1 where the node does not have it."""
        told = self.switches.get(switch, "")
        return int(told) if told.isdecimal() else -1

    def grown(self, before: NodeState, counter: str) -> int:
        """How much a counter grew since ``before``; 0 where it is missing."""
        now, was = ({**one.counters, **one.tracking} for one in (self, before))
        return now[counter] - was[counter] if counter in now and counter in was else 0


def read_state(outputs: Mapping[str, Output], family: int = 4) -> NodeState:
    """A node's state, as far as it is of one family, from the output of ``COMMANDS`` and ``COMMANDS_V6``.

    What cannot be read stays empty. Never raises.
    """
    texts = {key: output.text for key, output in outputs.items() if not output.returncode}
    switches = _switches(texts.get("switches", ""))
    if family == 6:
        common = {name: value for name, value in switches.items() if not name.startswith("ipv4/")}
        switches = common | _switches(texts.get("switches-v6", ""))
        texts |= {key.removesuffix("-v6"): texts.get(key, "") for key in COMMANDS_V6}
    proxy = outputs.get("proxy")
    try:
        known = tuple(routes(texts["routes"]))
    except (KeyError, ValueError):
        known = ()
    return NodeState(
        read_ruleset(texts.get("rules", "")),
        _devices(texts.get("links", ""), texts.get("ports", ""), texts.get("queues", "")),
        known,
        {
            str(one["dst"]): " ".join(map(str, _list(one.get("state"))))
            for one in _objects(texts.get("neighbours", ""), "dst")
        },
        switches,
        counters(texts.get("counters", "")),
        _tracking(texts.get("tracking", "")),
        texts.get("proxy", "").strip(),
        proxy.returncode if proxy else None,
        "" if texts.get("rules") else "its rules could not be read",
        policies(_objects(texts.get("policies", ""), "priority")),
    )


def _devices(links: str, ports: str, queues: str) -> dict[str, Device]:
    of_port = {str(one["ifname"]): one for one in _objects(ports, "ifname")}
    found = {}
    for one in _objects(links, "ifname"):
        name, port = str(one["ifname"]), of_port.get(str(one["ifname"]), {})
        info, stats, flags = _object(one.get("linkinfo")), _object(one.get("stats64")), one.get("flags")
        queued = [queue for queue in _objects(queues, "dev") if queue["dev"] == name]
        dropped = sum(_number(queue.get("drops")) for queue in queued)
        dropped += sum(_number(_object(stats.get(way)).get("dropped")) for way in ("rx", "tx"))
        found[name] = Device(
            name,
            _number(one.get("mtu")),
            "UP" in flags if isinstance(flags, list) else True,
            str(info.get("info_kind", "")),
            str(one.get("master", "")),
            _switch(port.get("hairpin")),
            _switch(port.get("learning")),
            port.get("state", "forwarding") not in ("forwarding", "unknown"),
            dropped,
        )
    return found


def _switches(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {path.removeprefix("/proc/sys/net/"): value.strip() for path, colon, value in pairs if colon}


def _tracking(text: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, number in re.findall(r"\b(\w+)=(\d+)", text):
        sums[name] = sums.get(name, 0) + int(number)
    return sums


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _objects(text: str, key: str) -> list[dict[str, Any]]:
    """The objects of a JSON list that have this key; none where the text is no such list."""
    try:
        printed = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return (
        [one for one in printed if isinstance(one, dict) and key in one] if isinstance(printed, list) else []
    )
