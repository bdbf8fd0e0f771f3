"""How expectations about a path are judged: by the hops of a trace, never by configuration alone.

A trace that may lack packets proves nothing: it is inconclusive, whatever it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network

from labs import model
from scripts.evidence.datapath import OtherNode, carriers, classify
from scripts.evidence.trace import Hop, Leg, Trace
from scripts.probing.judges.base import judge
from scripts.probing.judges.kernel import others
from scripts.probing.observation import Observation
from scripts.probing.verdict import PASSED, Failure, Finding, failed, inconclusive

GATEWAY = "gateway"
"""The name under which the gateway's captures stand among the nodes'."""


def _traced(seen: Observation, one: Callable[[Trace], Finding]) -> Finding:
    if seen.trace is None:
        return inconclusive(Failure.NO_EVIDENCE, "nothing was captured")
    if seen.trace.problem:
        return inconclusive(Failure.NO_EVIDENCE, f"the trace may be incomplete: {seen.trace.problem}")
    if problem := seen.kernel.problem(node.name for node in seen.view.snapshot.nodes):
        return inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}")
    return one(seen.trace)


def _kinds(hops: Sequence[Hop]) -> list[str]:
    """Each hop as "<interface's kind> <direction>", node changes marked by "|"."""
    told: list[str] = []
    node = hops[0].node if hops else ""
    for hop in hops:
        if hop.node != node:
            told.append("|")
            node = hop.node
        told.append(f"{hop.interface.kind} {hop.direction}")
    return told


def _way(hops: Sequence[Hop]) -> str:
    return " → ".join(f"{hop.node} {hop.interface.name} {hop.direction}" for hop in hops) or "nowhere"


def _untouched(leg: Leg) -> Finding | None:
    for hop in (*leg.request, *leg.reply):
        if hop.changed:
            return failed(
                Failure.NAT_FOUND, f"{', '.join(hop.changed)} at {hop.node} {hop.interface.name}: {hop}"
            )
    return None


@judge.register
def _(expected: model.StaysOnNode, seen: Observation) -> Finding:
    return _traced(seen, lambda trace: _stays(seen, trace))


def _stays(seen: Observation, trace: Trace) -> Finding:
    leg, node = trace.legs[0], seen.step.place.node
    for hop in trace.hops:
        if hop.node != node or hop.interface.kind in ("uplink", "tunnel"):
            return failed(Failure.WRONG_PATH, f"the packets were seen at {hop.node} {hop.interface.name}")
    for way in (leg.request, leg.reply):
        if _kinds(way) != ["pod in", "pod out"]:
            return _other_path(
                seen, trace, f"the packets went {_way(way)}, not from veth to veth across a bridge"
            )
    wiring = seen.kernel.nodes[node].wiring
    ports = [wiring.named(hop.interface.name) for hop in leg.request]
    masters = {port.master if port else "" for port in ports}
    if len(masters) != 1 or "" in masters:
        named = " and ".join(sorted(masters - {""})) or "no bridge"
        return _other_path(seen, trace, f"the two veths are ports of {named}, not of one bridge")
    return _untouched(leg) or PASSED


def _other_path(seen: Observation, trace: Trace, why: str) -> Finding:
    """Why the path is not the article's, with what the node's wiring says of it."""
    place = seen.step.place
    wiring = seen.kernel.nodes[place.node].wiring
    first = next((hop for hop in trace.hops if hop.interface.kind == "pod"), None)
    veth = wiring.named(first.interface.name) if first else None
    told = f" ({classify(place.ip, veth, wiring, others(seen, place.node)).told})" if veth else ""
    return failed(Failure.WRONG_PATH, why + told)


@judge.register
def _(expected: model.CrossesNodes, seen: Observation) -> Finding:
    return _traced(seen, lambda trace: _crosses(seen, trace))


def _crosses(seen: Observation, trace: Trace) -> Finding:
    leg, here = trace.legs[0], seen.step.place.node
    wanted = ["pod in", "bridge in", "uplink out", "|", "uplink in", "bridge out", "pod out"]
    for way in (leg.request, leg.reply):
        if _kinds(way) != wanted:
            return _other_path(
                seen, trace, f"the packets went {_way(way)}, not through bridge and node on both sides"
            )
    there = leg.request[-1].node
    return _untouched(leg) or _routed(seen, here, there) or _routed(seen, there, here) or PASSED


def _routed(seen: Observation, here: str, there: str) -> Finding | None:
    """A finding unless ``here`` has a route of its own for the Pod range of ``there``, by that node's IP."""
    other: OtherNode = next(node for node in others(seen, here) if node.name == there)
    found = carriers([other], seen.kernel.nodes[here].wiring)[there]
    if isinstance(found, str):
        return failed(Failure.WRONG_PATH, found)
    if found.between != "host-gw" or not IPv4Network(other.cidr).subnet_of(found.route.dst):
        return failed(Failure.WRONG_PATH, f"the Pod range of {there} goes another way: {found.told}")
    return None


@judge.register
def _(expected: model.BecomesNode, seen: Observation) -> Finding:
    return _traced(seen, lambda trace: _becomes(seen, trace))


def _becomes(seen: Observation, trace: Trace) -> Finding:
    node, hops = seen.step.place.node, _at_home(seen, trace)
    kinds = _kinds(hops)
    if kinds[:1] != ["pod in"] or kinds[-1:] != ["uplink out"]:
        told = f"on {node} the request went {_way(hops)}, not from the Pod to the node's interface"
        return failed(Failure.WRONG_PATH, told)
    pod, out, own = hops[0], hops[-1], seen.view.snapshot.node_ip(node)
    if pod.src.rpartition(":")[0] != seen.step.place.ip:
        return failed(
            Failure.WRONG_SOURCE, f"the request left the Pod as {pod.src}, the API says {seen.step.place.ip}"
        )
    if "SNAT" not in out.changed or out.src.rpartition(":")[0] != own:
        return failed(
            Failure.NO_TRANSLATION, f"at {out.interface.name} the source is {out.src}, not the node's {own}"
        )
    return PASSED


@judge.register
def _(expected: model.LeavesNode, seen: Observation) -> Finding:
    return _traced(seen, lambda trace: _leaves(seen, trace))


def _leaves(seen: Observation, trace: Trace) -> Finding:
    hops = _at_home(seen, trace)
    if _kinds(hops) != ["pod in", "bridge in", "uplink out"]:
        told = f"on {seen.step.place.node} the request went {_way(hops)}, not veth, bridge, node interface"
        return _other_path(seen, trace, told)
    return _becomes(seen, trace)


def _at_home(seen: Observation, trace: Trace) -> list[Hop]:
    """The request's hops on the node where it starts."""
    return [hop for hop in trace.legs[0].request if hop.node == seen.step.place.node]


@judge.register
def _(expected: model.LeavesGateway, seen: Observation) -> Finding:
    return _traced(seen, lambda trace: _through_gateway(seen, trace))


def _through_gateway(seen: Observation, trace: Trace) -> Finding:
    world = seen.view.outside
    hops = [hop for hop in trace.legs[0].request if hop.node == GATEWAY]
    if world is None or len(hops) != 2:
        return failed(Failure.WRONG_PATH, f"at the gateway the request went {_way(hops)}")
    own = seen.view.snapshot.node_ip(seen.step.place.node)
    came, left = (hop.src.rpartition(":")[0] for hop in hops)
    if came != own:
        return failed(
            Failure.WRONG_SOURCE, f"the request reached the gateway as {came}, not as the node's {own}"
        )
    if left != world.gateway_outside_ip or "SNAT" not in hops[1].changed:
        return failed(Failure.NO_TRANSLATION, f"the request left the gateway as {left}: no second NAT")
    return PASSED


@judge.register
def _(expected: model.ByNodePort, seen: Observation) -> Finding:
    return _traced(seen, lambda trace: _by_node_port(seen, trace))


def _by_node_port(seen: Observation, trace: Trace) -> Finding:
    target = seen.step.work.target
    if len(trace.legs) < 2 or target is None or target.service is None:
        return failed(Failure.WRONG_PATH, f"no connection of the balancer's own was seen: {_way(trace.hops)}")
    hops = [hop for hop in trace.legs[-1].request if hop.node != GATEWAY]
    first, last = hops[0], hops[-1]
    nodes = {node.ip: node.name for node in seen.view.snapshot.nodes}
    port = target.service.node_ports.get(target.port)
    asked, _, asked_port = first.dst.rpartition(":")
    if first.src.rpartition(":")[0] not in target.ips:
        return failed(Failure.WRONG_SOURCE, f"{first.src} sent to the node, not the balancer {target.ips[0]}")
    if asked not in nodes or asked_port != str(port):
        told = f"the balancer sent to {first.dst}, not to the node port {port} of a node"
        return failed(Failure.WRONG_PATH, told)
    if last.interface.kind != "pod" or last.dst.rpartition(":")[0] not in seen.pod_ips.values():
        return failed(
            Failure.WRONG_PATH, f"the request ended at {last.node} {last.interface.name} for {last.dst}"
        )
    return PASSED


@judge.register
def _(expected: model.RewrittenBack, seen: Observation) -> Finding:
    return _traced(seen, lambda trace: _rewritten(seen, trace))


def _rewritten(seen: Observation, trace: Trace) -> Finding:
    leg = trace.legs[-1]
    there = [hop for hop in leg.request if hop.node != GATEWAY]
    hops = [hop for hop in leg.reply if hop.node != GATEWAY]
    if not there or not hops:
        return failed(Failure.WRONG_PATH, f"no answer passed a node: {_way(trace.hops)}")
    asked, first, last = there[0].dst, hops[0], hops[-1]
    if first.interface.kind != "pod" or first.src.rpartition(":")[0] not in seen.pod_ips.values():
        return failed(
            Failure.WRONG_SOURCE, f"the answer was first seen as {first.src} at {first.interface.name}"
        )
    if last.src != asked or not any("reverse DNAT" in hop.changed for hop in hops):
        return failed(Failure.NO_TRANSLATION, f"the answer left as {last.src}, while {asked} was asked")
    return PASSED
