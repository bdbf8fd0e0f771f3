"""Which way a traced request took: judged by the hops that were captured, never by configuration alone.

A trace that may lack packets proves nothing: it is inconclusive, whatever it shows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import ClassVar

from scripts.checks.base import Observation
from scripts.checks.request import Expectation
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive, skipped
from scripts.ends import ip_of, parted
from scripts.evidence.datapath import OtherNode, carriers, classify
from scripts.evidence.links import within
from scripts.evidence.trace import Hop, Leg, Trace
from scripts.evidence.world import GATEWAY
from scripts.tiers import Tier


class Path(Expectation):
    """An expectation of a trace."""

    tier: ClassVar[Tier] = Tier.KERNEL

    def judge(self, seen: Observation) -> Finding:
        """By a complete trace and the wiring of every node."""
        if seen.trace is None:
            return inconclusive(Failure.NO_EVIDENCE, "nothing was captured")
        if len(seen.view.snapshot.boots) > 1 and len({hop.node for hop in seen.trace.hops}) > 1:
            return skipped("the nodes have no clock in common, so hops on several of them have no order")
        if seen.trace.problem:
            return inconclusive(Failure.NO_EVIDENCE, f"the trace may be incomplete: {seen.trace.problem}")
        if problem := seen.kernel.problem((node.name for node in seen.view.snapshot.nodes), "wiring"):
            return inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}")
        return self.follow(seen, seen.trace)

    @abstractmethod
    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """Whether this is the way."""


@dataclass(frozen=True)
class StaysOnNode(Path):
    """Trace: in at one veth, out at another of the same bridge, and never at the node's own interface."""

    dual: ClassVar[bool] = True

    def __str__(self) -> str:
        return "crosses the bridge and never the node's own interface"

    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """Both ways."""
        leg, node = trace.legs[0], seen.step.place.node
        for hop in trace.hops:
            if hop.node != node or hop.interface.kind in ("uplink", "tunnel"):
                why = f"the packets were seen at {hop.node} {hop.interface.name}"
                return failed(Failure.WRONG_PATH, why)
        for way in (leg.request, leg.reply):
            if _kinds(way) != ["pod in", "pod out"]:
                why = f"the packets went {_way(way)}, not from veth to veth across a bridge"
                return _other_path(seen, trace, why)
        wiring = seen.kernel.nodes[node].wiring
        ports = [wiring.named(hop.interface.name) for hop in leg.request]
        masters = {port.master if port else "" for port in ports}
        if len(masters) != 1 or "" in masters:
            named = " and ".join(sorted(masters - {""})) or "no bridge"
            return _other_path(seen, trace, f"the two veths are ports of {named}, not of one bridge")
        return _untouched(leg) or PASSED


@dataclass(frozen=True)
class CrossesNodes(Path):
    """Trace: through the bridge, out of one node's interface and in at the other's, as the routes say."""

    dual: ClassVar[bool] = True

    def __str__(self) -> str:
        return "leaves through bridge and node, by the route to the other node's Pod range"

    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """Both ways, and by each node's route for the other's Pod range."""
        leg, here = trace.legs[0], seen.step.place.node
        wanted = ["pod in", "bridge in", "uplink out", "|", "uplink in", "bridge out", "pod out"]
        for way in (leg.request, leg.reply):
            if _kinds(way) != wanted:
                why = f"the packets went {_way(way)}, not through bridge and node on both sides"
                return _other_path(seen, trace, why)
        there = leg.request[-1].node
        return _untouched(leg) or _routed(seen, here, there) or _routed(seen, there, here) or PASSED


@dataclass(frozen=True)
class BecomesNode(Path):
    """Trace: the request leaves the Pod with the Pod's IP and the node with the node's (SNAT), by any way."""

    def __str__(self) -> str:
        return "its source becomes the node, seen at the node's interface"

    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """On the node where the request starts."""
        return _becomes(seen, _at_home(seen, trace))


@dataclass(frozen=True)
class LeavesNode(Path):
    """Trace: Pod, veth, bridge, node interface, where the source becomes the node (SNAT)."""

    def __str__(self) -> str:
        return "veth, bridge, iptables, node interface, seen hop by hop"

    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """On the node where the request starts."""
        hops = _at_home(seen, trace)
        if _kinds(hops) != ["pod in", "bridge in", "uplink out"]:
            node = seen.step.place.node
            told = f"on {node} the request went {_way(hops)}, not veth, bridge, node interface"
            return _other_path(seen, trace, told)
        return _becomes(seen, hops)


@dataclass(frozen=True)
class LeavesGateway(Path):
    """Trace: at the gateway the source changes a second time, from the node's to the gateway's own."""

    def __str__(self) -> str:
        return "a second NAT at the gateway, seen there"

    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """It enters the gateway with the node's address and leaves with the gateway's own."""
        hops = [hop for hop in trace.legs[0].request if hop.node == GATEWAY]
        if len(hops) != 2:
            return failed(Failure.WRONG_PATH, f"at the gateway the request went {_way(hops)}")
        own = seen.view.snapshot.node_ip(seen.step.place.node)
        came, left = (ip_of(hop.src) for hop in hops)
        if came != own:
            why = f"the request reached the gateway as {came}, not as the node's {own}"
            return failed(Failure.WRONG_SOURCE, why)
        if left != seen.view.world.gateway_outside_ip or "SNAT" not in hops[1].changed:
            return failed(Failure.NO_TRANSLATION, f"the request left the gateway as {left}: no second NAT")
        return PASSED


@dataclass(frozen=True)
class ByNodePort(Path):
    """Trace: the balancer sends to a node port, never to a Pod's address; the node sends on to the Pod."""

    def __str__(self) -> str:
        return "the balancer sends to a node's port, the node to the Pod"

    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """By the balancer's own connection."""
        target = seen.step.work.target
        if len(trace.legs) < 2 or target is None or target.service is None:
            why = f"no connection of the balancer's own was seen: {_way(trace.hops)}"
            return failed(Failure.WRONG_PATH, why)
        hops = [hop for hop in trace.legs[-1].request if hop.node != GATEWAY]
        first, last = hops[0], hops[-1]
        nodes = {node.ip for node in seen.view.snapshot.nodes}
        port = target.service.node_ports.get(target.port)
        asked, asked_port = parted(first.dst)
        if ip_of(first.src) not in target.ips:
            why = f"{first.src} sent to the node, not the balancer {target.ips[0]}"
            return failed(Failure.WRONG_SOURCE, why)
        if asked not in nodes or asked_port != str(port):
            told = f"the balancer sent to {first.dst}, not to the node port {port} of a node"
            return failed(Failure.WRONG_PATH, told)
        if last.interface.kind != "pod" or ip_of(last.dst) not in seen.pod_ips.values():
            why = f"the request ended at {last.node} {last.interface.name} for {last.dst}"
            return failed(Failure.WRONG_PATH, why)
        return PASSED


@dataclass(frozen=True)
class RewrittenBack(Path):
    """Trace: the answer leaves the Pod with its own address, and its node or the client's rewrites it."""

    def __str__(self) -> str:
        return "the answer leaves with the Pod's IP and is rewritten on the way back"

    def follow(self, seen: Observation, trace: Trace) -> Finding:
        """By the answer's first and last hop."""
        leg = trace.legs[-1]
        there = [hop for hop in leg.request if hop.node != GATEWAY]
        hops = [hop for hop in leg.reply if hop.node != GATEWAY]
        if not there or not hops:
            return failed(Failure.WRONG_PATH, f"no answer passed a node: {_way(trace.hops)}")
        asked, first, last = there[0].dst, hops[0], hops[-1]
        if first.interface.kind != "pod" or ip_of(first.src) not in seen.pod_ips.values():
            why = f"the answer was first seen as {first.src} at {first.interface.name}"
            return failed(Failure.WRONG_SOURCE, why)
        if last.src != asked or not any("reverse DNAT" in hop.changed for hop in hops):
            why = f"the answer left as {last.src}, while {asked} was asked"
            return failed(Failure.NO_TRANSLATION, why)
        return PASSED


def others(seen: Observation, node: str) -> list[OtherNode]:
    """The other nodes of the cluster, as the API has them."""
    return [OtherNode(n.name, n.pod_cidr, n.ip) for n in seen.view.snapshot.nodes if n.name != node]


def _kinds(hops: Sequence[Hop]) -> list[str]:
    """Each hop as "<interface's kind> <direction>", node changes marked by "|"."""
    kinds: list[str] = []
    node = hops[0].node if hops else ""
    for hop in hops:
        if hop.node != node:
            kinds.append("|")
            node = hop.node
        kinds.append(f"{hop.interface.kind} {hop.direction}")
    return kinds


def _way(hops: Sequence[Hop]) -> str:
    return " → ".join(f"{hop.node} {hop.interface.name} {hop.direction}" for hop in hops) or "nowhere"


def _untouched(leg: Leg) -> Finding | None:
    for hop in (*leg.request, *leg.reply):
        if hop.changed:
            why = f"{', '.join(hop.changed)} at {hop.node} {hop.interface.name}: {hop}"
            return failed(Failure.NAT_FOUND, why)
    return None


def _other_path(seen: Observation, trace: Trace, why: str) -> Finding:
    """Why the path is not the article's, with what the node's wiring says of it."""
    place = seen.step.place
    wiring = seen.kernel.nodes[place.node].wiring
    first = next((hop for hop in trace.hops if hop.interface.kind == "pod"), None)
    veth = wiring.named(first.interface.name) if first else None
    here = f" ({classify(place.ip, veth, wiring, others(seen, place.node)).told})" if veth else ""
    return failed(Failure.WRONG_PATH, why + here)


def _routed(seen: Observation, here: str, there: str) -> Finding | None:
    """A finding unless ``here`` has a route of its own for the Pod range of ``there``, by that node's IP."""
    other: OtherNode = next(node for node in others(seen, here) if node.name == there)
    found = carriers([other], seen.kernel.nodes[here].wiring)[there]
    if isinstance(found, str):
        return failed(Failure.WRONG_PATH, found)
    if found.between != "host-gw" or not within(ip_network(other.cidr), found.route.dst):
        return failed(Failure.WRONG_PATH, f"the Pod range of {there} goes another way: {found.told}")
    return None


def _becomes(seen: Observation, hops: Sequence[Hop]) -> Finding:
    """Whether the source becomes the node's between the Pod's veth and the node's interface."""
    node, kinds = seen.step.place.node, _kinds(hops)
    if kinds[:1] != ["pod in"] or kinds[-1:] != ["uplink out"]:
        told = f"on {node} the request went {_way(hops)}, not from the Pod to the node's interface"
        return failed(Failure.WRONG_PATH, told)
    pod, out, own = hops[0], hops[-1], seen.view.snapshot.node_ip(node)
    if ip_of(pod.src) != seen.step.place.ip:
        why = f"the request left the Pod as {pod.src}, the API says {seen.step.place.ip}"
        return failed(Failure.WRONG_SOURCE, why)
    if "SNAT" not in out.changed or ip_of(out.src) != own:
        why = f"at {out.interface.name} the source is {out.src}, not the node's {own}"
        return failed(Failure.NO_TRANSLATION, why)
    return PASSED


def _at_home(seen: Observation, trace: Trace) -> list[Hop]:
    """The request's hops on the node where it starts."""
    return [hop for hop in trace.legs[0].request if hop.node == seen.step.place.node]
