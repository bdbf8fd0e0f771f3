"""Whether the fence stands: its rules on the host and on every node, and a packet that it rejects (F1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.plain import connection
from scripts.checks.verdict import PASSED, Failure, Finding, combined, failed, inconclusive
from scripts.evidence.view import MissingPeer, View
from scripts.tiers import Tier
from scripts.transport.executor import Place
from scripts.transport.frames import Output

CHAIN = "PODPATH-FENCE"
REJECTED = "No route to host"
"""connect(2)'s EHOSTUNREACH, after the ICMP message of the fence; Docker's own rules drop silently."""
KUBELET = 10250
"""The TCP port of every node's kubelet: any host on the nodes' network can connect to it."""
HOW = "scripts/up repairs it"


@dataclass(frozen=True)
class Fence(Check):
    """The rules of both halves of the fence, and the way around the gateway, through the engine's host."""

    own_tier: ClassVar[Tier] = Tier.KERNEL

    def __str__(self) -> str:
        return "the host's network for a way around the gateway, and host and nodes for the fence's rules"

    @property
    def expected(self) -> str:
        """Host and nodes have the fence's rules, and the host rejects what would go around the gateway."""
        return "rejected by the host, and host and nodes have all rules of the fence"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """Listings of the rules, a connection around the gateway, and one that must be let in as control."""
        world, agents = view.world, view.agent_places()
        if not agents:
            raise MissingPeer("no node-agent is ready: look with kubectl -n podpath-system get pods")
        table = ("nft", "--stateless", "list", "table", "inet", world.fence)
        node = view.snapshot.nodes[0].ip
        return Work(
            commands=(
                Command(Place(world.host), "host", table),
                Command(place, "beyond", connection(world.outside_ip, 80, "HELLO")),
                Command(place, "inside", connection(node, KUBELET, "HELLO")),
                *(Command(on, name, ("iptables", "-w", "-S")) for name, on in agents.items()),
            )
        )

    def judge(self, seen: Observation) -> Finding:
        """The host's half, the nodes' half, and the packet."""
        outputs = dict(seen.outputs)
        host, beyond, inside = (outputs.pop(key) for key in ("host", "beyond", "inside"))
        nodes = [node.name for node in seen.view.snapshot.nodes]
        bridges = seen.view.world.bridges
        theirs = _nodes(nodes, outputs, seen.view.silent)
        return combined([_host(host, bridges), theirs, _packet(beyond, inside)])


def _host(table: Output, bridges: Iterable[str]) -> Finding:
    if table.returncode:
        said = (table.text.strip().splitlines() or ["nothing"])[0]
        if "No such file" in said:
            return failed(Failure.NOT_FENCED, f"the host's half of the fence is gone: {HOW}")
        return inconclusive(Failure.NO_EVIDENCE, f"the host's rules cannot be read: {said}")
    for bridge in bridges:
        for one, other in (("iifname", "oifname"), ("oifname", "iifname")):
            if f'{one} "{bridge}" {other} != "{bridge}" counter reject' not in table.text:
                why = f"the host's fence lacks the rule for {one} {bridge}: {HOW}"
                return failed(Failure.NOT_FENCED, why)
    return PASSED


def _nodes(nodes: Iterable[str], listings: Mapping[str, Output], silent: Mapping[str, str]) -> Finding:
    """Every node's FORWARD goes through the chain, which rejects what is left of both ranges."""
    for node in nodes:
        if why := silent.get(node):
            return inconclusive(Failure.NODE_DOWN, f"node {node} does not answer: {why}")
        listing = listings.get(node)
        if listing is None or listing.returncode:
            return inconclusive(Failure.NO_EVIDENCE, f"the rules of {node} cannot be read")
        rules = listing.text.splitlines()
        chain = [rule for rule in rules if rule.startswith(f"-A {CHAIN} ")]
        jumps = [rule for rule in rules if rule.startswith("-A FORWARD ") and rule.endswith(f"-j {CHAIN}")]
        rejects = [rule for rule in chain if " -j REJECT" in rule]
        if not jumps or len(rejects) < 2:
            return failed(Failure.NOT_FENCED, f"the fence of {node} is incomplete: {HOW}")
    return PASSED


def _packet(beyond: Output, inside: Output) -> Finding:
    if not inside.text.startswith("connected"):
        why = f"the host beside the nodes cannot reach a node either ({inside.text.strip()}): no proof"
        return inconclusive(Failure.CONTROL_FAILED, why)
    if beyond.text.startswith("connected"):
        return failed(Failure.NOT_FENCED, f"the host let a connection pass around the gateway: {HOW}")
    if REJECTED not in beyond.text:
        said = beyond.text.strip() or "no answer"
        return failed(Failure.NOT_FENCED, f"the host did not reject what goes around the gateway: {said}")
    return PASSED
