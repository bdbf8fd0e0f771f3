"""A rule of a node, or a route of the gateway, leads from outside to what should be out of reach."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from scripts.causes.commands import listing, removal
from scripts.causes.scene import Cause, Red, Scene, name_of, on_node
from scripts.causes.told import KEPT
from scripts.checks.verdict import Failure
from scripts.ends import ip_of
from scripts.evidence.ruletrace import MetRule
from scripts.evidence.world import GATEWAY


def find(scene: Scene) -> Iterator[Cause]:
    """Each rule or route by which the replay of a red came in that should have had no answer."""
    for red in scene.reds:
        if red.failure is Failure.UNEXPECTED_ANSWER and not red.node and red.target:
            if met := _translated(red):
                yield _by_rule(scene, red, *met)
            elif hop := _forwarded(scene, red):
                yield _by_route(scene, red, hop)


def _translated(red: Red) -> tuple[str, MetRule] | None:
    for one in red.tries:
        for passage in one.passages:
            for rule in passage.rules:
                if rule.rewrites and "DNAT" in rule.text and not rule.chain.startswith(KEPT):
                    return passage.node, rule
    return None


def _forwarded(scene: Scene, red: Red) -> str:
    """The address of a Pod to which the gateway forwarded a request."""
    ranges = [ipaddress.ip_network(node.pod_cidr) for node in scene.view.snapshot.nodes if node.pod_cidr]
    for one in red.tries:
        for hop in one.trace.hops:
            ip = ip_of(hop.dst)
            onward = hop.way == "request" and hop.node == "gateway" and hop.direction == "out"
            if onward and any(ipaddress.ip_address(ip) in net for net in ranges):
                return ip
    return ""


def _by_rule(scene: Scene, red: Red, node: str, rule: MetRule) -> Cause:
    return Cause(
        "exposed",
        f"{node} sends what comes from outside to {red.target.address if red.target else ''} on to a Pod",
        (f"{rule.where} rule {rule.number} ({rule.text}) translated the replay's request",),
        frozenset({red.id}),
        node=node,
        look=listing(scene, node, rule),
        mend=removal(scene, node, rule),
    )


def _by_route(scene: Scene, red: Red, ip: str) -> Cause:
    return Cause(
        "exposed",
        f"the gateway forwards from outside to {scene.owner(ip) or ip}",
        (f"the replay's request left the gateway towards {ip}, which only nodes should know a way to",),
        frozenset({red.id}),
        node=name_of(scene, GATEWAY),
        look=on_node(scene, GATEWAY, "ip", "route", "get", ip),
        mend=on_node(scene, GATEWAY, "ip", "route", "del", ip),
    )
