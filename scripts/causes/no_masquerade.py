"""A node sends its Pods' packets out of the cluster under the Pods' own addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from scripts.causes.commands import of_cluster
from scripts.causes.scene import Cause, Red, Scene, agent, name_of
from scripts.ends import ip_of
from scripts.evidence.ruletrace import MetRule
from scripts.evidence.trace import Hop
from scripts.evidence.world import GATEWAY


def find(scene: Scene) -> Iterator[Cause]:
    """Each node where the replay saw such a packet leave."""
    ranges = [ipaddress.ip_network(node.pod_cidr) for node in scene.view.snapshot.nodes if node.pod_cidr]
    nodes = {node.ip for node in scene.view.snapshot.nodes}

    def bare(red: Red) -> Hop | None:
        for one in red.tries:
            for hop in one.trace.hops:
                source, to = (ipaddress.ip_address(ip_of(end)) for end in (hop.src, hop.dst))
                out = hop.way == "request" and hop.direction == "out" and hop.interface.kind == "uplink"
                inside = any(to in net for net in ranges) or str(to) in nodes
                if out and hop.node != "gateway" and any(source in net for net in ranges) and not inside:
                    return hop
        return None

    yield from _gateway(scene, nodes)
    seen = {red.id: hop for red in scene.reds if (hop := bare(red))}
    for node in sorted({hop.node for hop in seen.values()}):
        ids = frozenset(id for id, hop in seen.items() if hop.node == node)
        hop = seen[min(ids)]
        yield Cause(
            kind="no_masquerade",
            what=f"{node} does not masquerade: the packet left {hop.interface.name} as {hop.src}",
            node=node,
            evidence=(
                f"seen leaving {hop.interface.name} of {node} as {hop.src} → {hop.dst}",
                *_accepted(scene, hop),
            ),
            explains=ids,
            look=agent(scene, node, scene.iptables, "-t", "nat", "-nvL", "POSTROUTING", "--line-numbers"),
            mend=_mend(scene, hop),
        )


def _gateway(scene: Scene, nodes: set[str]) -> Iterator[Cause]:
    """The second NAT: what leaves the gateway towards the outside has its address, not a node's."""
    seen: dict[str, Hop] = {}
    for red in scene.reds:
        for hop in (hop for one in red.tries for hop in one.trace.hops):
            outwards = hop.way == "request" and hop.direction == "out" and "outside" in hop.interface.label
            if hop.node == GATEWAY and outwards and ip_of(hop.src) in nodes:
                seen.setdefault(red.id, hop)
    if seen:
        hop = next(iter(seen.values()))
        yield Cause(
            kind="no_masquerade",
            what=f"the gateway does not replace the address of a node: the packet left it as {hop.src}",
            node=name_of(scene, GATEWAY),
            evidence=(f"seen leaving {hop.interface.name} of the gateway as {hop.src} → {hop.dst}",),
            explains=frozenset(seen),
            look=agent(scene, GATEWAY, scene.iptables, "-t", "nat", "-nvL", "POSTROUTING", "--line-numbers"),
            mend=of_cluster(scene),
        )


def _exempting(scene: Scene, hop: Hop) -> MetRule | None:
    """The rule that let this packet go before it met the one that masquerades, as the kernel named it."""
    for passage in scene.passages:
        place = (passage.node, passage.table, passage.chain, passage.source, passage.destination)
        if place == (hop.node, "nat", "POSTROUTING", hop.src, hop.dst) and passage.rules:
            last = passage.rules[-1]
            if last.verdict == "ACCEPT" and last.text and not last.rewrites:
                return last
    return None


def _accepted(scene: Scene, hop: Hop) -> list[str]:
    last = _exempting(scene, hop)
    return [f"{last.where} ({last.text}) let it go before it met the rule that masquerades"] if last else []


def _mend(scene: Scene, hop: Hop) -> str:
    last = _exempting(scene, hop)
    found = scene.state(hop.node).ruleset.find("nat", last.chain, last.text) if last else None
    if found:
        return agent(scene, hop.node, scene.iptables, "-t", "nat", "-D", found.chain, str(found.number))
    return of_cluster(scene)
