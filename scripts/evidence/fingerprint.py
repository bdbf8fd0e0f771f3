"""Describes a cluster in lines that are the same before a damage and after it was undone.

Left out is what changes by itself: counters, ages, states of neighbours, hashes of chains, names and
addresses of Pods that a controller has replaced. A Pod's address is written as its workload and node.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from scripts.transport.frames import Output

SWITCHES = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.eth0.rp_filter",
    "net.ipv4.conf.cbr0.rp_filter",
    "net.ipv4.conf.eth0.forwarding",
    "net.ipv4.conf.cbr0.forwarding",
    "net.bridge.bridge-nf-call-iptables",
)
COMMANDS: Mapping[str, list[str]] = {
    "rules": ["iptables-save"],
    "tables": ["nft", "list", "tables"],
    "routes": ["ip", "-4", "-o", "route", "show", "table", "all"],
    "policy": ["ip", "-4", "rule", "show"],
    "neighbours": ["ip", "-4", "neigh", "show", "nud", "permanent"],
    "links": ["ip", "-j", "-d", "link", "show"],
    "switches": [
        "sh",
        "-c",
        "cd /proc/sys && for f in "
        + " ".join(name.replace(".", "/") for name in SWITCHES)
        + '; do echo "$f $(cat $f 2>/dev/null)"; done',
    ],
    "proxy": ["curl", "-s", "--max-time", "2", "http://127.0.0.1:10249/proxyMode"],
    "folders": ["sh", "-c", "ls -d /tmp/podpath-fault-* 2>/dev/null; true"],
}
"""What to run on every node."""
_COUNTERS = re.compile(r"\[\d+:\d+\]")
_CHAIN = re.compile(r"\b(KUBE-(?:SEP|SVC|EXT|SVL|XLB|FW|POD-FW|NWPLCY)-)[A-Z0-9]{16}\b")
_POD_NAME = re.compile(r"\bPOD name:\S+")
"""As kube-router names a Pod in its rules' comments."""
_PROBABILITY = re.compile(r"--probability [0-9.]+")
_EMPTY = re.compile(r"\*|:[A-Z]+ ACCEPT ")
"""Tables, and chains of netfilter's own that let all pass: iptables(8) makes them when it looks."""
_TABLES = ("raw", "mangle", "nat", "filter", "security")
_VETH = re.compile(r"\bveth[0-9a-f]{6,}\b")

_OWN = re.compile(r"hash|generation|statefulset|pod-index")
"""Labels that controllers give to a Pod by themselves."""

Lines = Counter[str]


def lines_of(
    outputs_by_node: Mapping[str, Mapping[str, Output]], lists: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Lines:
    """The lines of all nodes and objects; ``lists`` are the API's items by the last word of their path."""
    owners = _owners(lists.get("pods", ()))
    found: Lines = Counter()
    for node, outputs in outputs_by_node.items():
        for key, output in outputs.items():
            lines = _links(output.text) if key == "links" else _plain(key, output.text)
            found.update(f"{node} {key}: {_masked(line, owners)}" for line in lines)
    for kind, items in lists.items():
        for item in items:
            found.update(f"{kind}: {line}" for line in _object(kind, item, owners))
    return found


def difference(before: Lines, after: Lines) -> list[str]:
    """What one has and the other has not, a line each: ``- `` was there before, ``+ `` is there now."""
    gone, new = before - after, after - before
    return [f"- {line}" for line in sorted(gone)] + [f"+ {line}" for line in sorted(new)]


def _plain(key: str, text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if key == "tables":
        return [line for line in lines if line.split()[-1] not in _TABLES]
    if key == "rules":
        lines = [line for line in lines if line != "COMMIT" and not _EMPTY.match(line)]
        lines = [_COUNTERS.sub("", line) for line in lines]
        lines = [_POD_NAME.sub("POD name:…", line) for line in lines]
        return [_PROBABILITY.sub("", _CHAIN.sub(r"\1…", line)) for line in lines if "-HINT" not in line]
    return lines


def _links(text: str) -> list[str]:
    """Name (of a veth: none), kind, bridge, MTU, whether it is up, and a port's hairpin."""
    try:
        links = json.loads(text)
    except ValueError:
        return [f"unreadable: {text[:60]}"]
    found = []
    for link in links:
        info = link.get("linkinfo", {})
        port = info.get("info_slave_data", {})
        name = _VETH.sub("veth", link.get("ifname", ""))
        state = "up" if "UP" in link.get("flags", ()) else "down"
        found.append(
            f"{name} {info.get('info_kind', '')} of {link.get('master', 'none')} {state} "
            f"mtu {link.get('mtu')} "
            f"hairpin {port.get('hairpin', '-')} learning {port.get('learning', '-')} "
            f"qdisc {link.get('qdisc', '')}"
        )
    return found


def _object(kind: str, item: Mapping[str, Any], owners: Mapping[str, str]) -> list[str]:
    meta, spec = item["metadata"], item.get("spec") or {}
    where = f"{meta.get('namespace', '')}/"
    marks = sorted(key for key in (meta.get("annotations") or {}) if key.startswith("podpath/fault"))
    if kind == "pods":
        status = item.get("status", {})
        if status.get("phase") in ("Succeeded", "Failed") or "deletionTimestamp" in meta:
            return []
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
        labels = {k: v for k, v in (meta.get("labels") or {}).items() if not _OWN.search(k)}
        images = [box["image"] for box in spec["containers"]]
        return [
            f"{where}{_workload(item)} {json.dumps(labels, sort_keys=True)} {images} ready {ready} {marks}"
        ]
    if kind == "endpointslices":
        service = (meta.get("labels") or {}).get("kubernetes.io/service-name", "")
        ports = sorted(
            f"{p.get('name')}:{p.get('port')}/{p.get('protocol')}" for p in item.get("ports") or ()
        )
        ends = [
            f"{where}{service} {_masked(ip, owners)} {json.dumps(one.get('conditions'))} {ports}"
            for one in item.get("endpoints") or ()
            for ip in one.get("addresses") or ()
        ]
        return [*ends, f"{where}a slice of {service}"]
    if kind == "nodes":
        told = item.get("status", {}).get("conditions") or ()
        states = [c["status"] for c in told if c["type"] == "Ready"]
        return [f"{meta['name']} {spec.get('podCIDR')} unschedulable {spec.get('unschedulable')} {states}"]
    return [f"{where}{meta['name']} {json.dumps(spec, sort_keys=True)} {marks}"]


def _workload(pod: Mapping[str, Any]) -> str:
    meta = pod["metadata"]
    for owner in meta.get("ownerReferences") or ():
        return re.sub(r"-[a-z0-9]{8,10}$", "", f"{owner['kind']} {owner['name']}")
    return f"Pod {meta['name']}"


def _owners(pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = {}
    for pod in pods:
        ip, own = pod.get("status", {}).get("podIP", ""), pod["spec"].get("hostNetwork")
        if ip and not own:
            found[ip] = f"<{pod['metadata']['namespace']}/{_workload(pod)}>"
    return found


_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")


def _masked(line: str, owners: Mapping[str, str]) -> str:
    return _ADDRESS.sub(lambda found: owners.get(found[0], found[0]), _VETH.sub("veth", line))
