"""The ways to damage something, and how to undo each: a rule, a route, a switch, an object, a container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scripts.checks.undo import reverse
from scripts.fault._base import LABEL, ROUTES, Act, Argv, Site


def rule(site: Site, node: str, chain: str, rest: str, table: str = "filter") -> Act:
    """A rule at the top of a chain of a node, by iptables(8); its comment is the fault's mark."""
    tool = ("iptables", "-w", "-t", table)
    marked = ("-m", "comment", "--comment", site.mark, *rest.split())
    return Act(
        "agent",
        node,
        do=((*tool, "-I", chain, "1", *marked),),
        undo=((*tool, "-D", chain, *marked),),
        there=(*tool, "-C", chain, *marked),
        what=f"rule of {table}/{chain} on {node}",
    )


def rule_in(site: Site, container: str, chain: str, rest: str, table: str = "filter") -> Act:
    """The same in a container of ours that is no node, such as the gateway."""
    made = rule(site, container, chain, rest, table)
    return Act("container", container, made.do, made.undo, made.there, made.what)


def link_down(node: str, device: str, what: str) -> Act:
    """An interface of a node that is down; one that is gone meanwhile is damaged no more."""
    to = ("ip", "link", "set", "dev", device)
    there = ("sh", "-c", f"ip -o link show dev {device} | grep -qv '[<,]UP[,>]'")
    return commands(node, ((*to, "down"),), ((*to, "up"),), there, f"{what} {device} on {node}")


def route(node: str, *words: str) -> Act:
    """A route of a node, under a protocol number of our own."""
    marked = (*words, "proto", ROUTES)
    range_ = next(word for word in words if "/" in word)
    there = ("sh", "-c", f"ip route show table all exact {range_} proto {ROUTES} | grep -q .")
    return Act(
        "agent",
        node,
        do=(("ip", "route", "add", *marked),),
        undo=(("ip", "route", "del", *marked),),
        there=there,
        what=f"route {' '.join(words)} on {node}",
    )


def switch(site: Site, node: str, name: str, value: str) -> Act:
    """A switch of a node's kernel, by sysctl(8); its value from before is put back."""
    was = site.run(node, "sysctl", "-n", name).strip()
    return Act(
        "container",
        node,
        do=(("sysctl", "-q", "-w", f"{name}={value}"),),
        undo=(("sysctl", "-q", "-w", f"{name}={was}"),),
        there=("sh", "-c", f'test "$(sysctl -n {name})" != {was}'),
        what=f"switch {name} on {node}",
    )


NOWHERE = "localhost:9/podpath/nowhere:1"
"""An image of a registry on the node itself, where nobody listens: nothing leaves the node."""


def image(site: Site, namespace: str, pod: str, container: str, name: str) -> Act:
    """A Pod whose container gets another image: the kubelet ends the old one first."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
    boxes = site.api.get(path)["spec"]["containers"]
    other = [{**box, "image": name} if box["name"] == container else box for box in boxes]
    return patch(site, path, {"spec": {"containers": other}})


def without_pod(site: Site, namespace: str, daemon: str, node: str) -> Act:
    """A DaemonSet that keeps off a node, while its Pods elsewhere stay as they are."""
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{daemon}"
    term = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    strategy = {"type": "OnDelete", "rollingUpdate": None}
    spec = {"updateStrategy": strategy, "template": {"spec": {"affinity": affinity}}}
    return patch(site, path, {"spec": spec})


def commands(node: str, do: tuple[Argv, ...], undo: tuple[Argv, ...], there: Argv, what: str) -> Act:
    """Commands in a node's agent."""
    return Act("agent", node, do, undo, there, what)


def signal(node: str, process: str) -> Act:
    """A process of a node that is stopped by SIGSTOP."""
    state = f"ps -o stat= -C {process} | grep -q T"
    return Act(
        "container",
        node,
        do=(("pkill", "-STOP", "-x", process),),
        undo=(("pkill", "-CONT", "-x", process),),
        there=("sh", "-c", state),
        what=f"{process} on {node}",
    )


def pause(container: str) -> Act:
    """A container that is paused."""
    return Act(
        "engine", "", (("pause", container),), (("unpause", container),), what=f"container {container}"
    )


def stop(container: str) -> Act:
    """A container that is stopped; started again, it gets its address again, for nobody took it meanwhile."""
    do, undo = ("stop", "--time", "1", container), ("start", container)
    return Act("engine", "", (do,), (undo,), what=f"container {container}")


def patch(site: Site, path: str, change: Mapping[str, Any]) -> Act:
    """A merge patch of an object (RFC 7386); what it changes is put back as it was read."""
    marked = {**change, "metadata": {**change.get("metadata", {}), "annotations": {LABEL: site.fault}}}
    was = site.api.get(path)
    return Act(
        "api",
        "",
        do=(("PATCH", path, json.dumps(marked)),),
        undo=(("PATCH", path, json.dumps(reverse(marked, was))),),
        what=path.removeprefix("/api/v1/").removeprefix("/apis/"),
    )


def make(site: Site, collection: str, manifest: Mapping[str, Any]) -> Act:
    """A new object, which carries the fault's label."""
    meta = {**manifest["metadata"]}
    meta["labels"] = {**meta.get("labels", {}), LABEL: site.fault}
    path = f"{collection}/{meta['name']}"
    return Act(
        "api",
        "",
        do=(("POST", collection, json.dumps({**manifest, "metadata": meta})),),
        undo=(("DELETE", path, ""),),
        what=path.removeprefix("/api/v1/").removeprefix("/apis/"),
    )


def drop(site: Site, path: str) -> Act:
    """An object that is deleted, and made again as it was."""
    was = site.api.get(path)
    kept = ("name", "namespace", "labels", "annotations")
    meta = {key: was["metadata"][key] for key in kept if key in was["metadata"]}
    again = {"apiVersion": was["apiVersion"], "kind": was["kind"], "metadata": meta, "spec": was["spec"]}
    return Act(
        "api",
        "",
        do=(("DELETE", path, ""),),
        undo=(("POST", path.rpartition("/")[0], json.dumps(again)),),
        what=path.removeprefix("/api/v1/").removeprefix("/apis/"),
    )
