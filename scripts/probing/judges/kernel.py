"""How expectations about the kernel are judged: translations, rules, veths and bridges."""

from __future__ import annotations

from collections.abc import Mapping

from labs import model
from scripts.evidence.datapath import OtherNode, classify, node_end
from scripts.evidence.links import Link, look
from scripts.evidence.rules import Masquerade, differs
from scripts.probing.curl import Answer
from scripts.probing.judges.base import each, failure_of, judge
from scripts.probing.observation import Observation
from scripts.probing.settling import misdirected
from scripts.probing.verdict import PASSED, Failure, Finding, failed, inconclusive, passed

WILDCARDS = {"0.0.0.0", "*", "::"}


@judge.register
def _(expected: model.Translated, seen: Observation) -> Finding:
    return each(seen, lambda answer: _translated(seen, answer))


def _translated(seen: Observation, answer: Answer) -> Finding:
    """The client's node must have tracked clusterIP → Pod, and nobody may listen on the clusterIP."""
    if answer.exitcode:
        return failure_of(answer)
    node, (asked, port) = seen.step.place.node, answer.remote
    own = [entry for at, entry in seen.entries(answer) if at == node and entry.original.dst == asked]
    if not own:
        return _untracked(seen, node, f"netfilter on {node} tracked no connection to {asked}:{port}")
    reply, pod = own[0].reply, answer.server.get(model.HEADER_POD, "")
    if reply.src == asked:
        return failed(Failure.NO_TRANSLATION, f"netfilter on {node} did not translate {asked}: {own[0].line}")
    if reply.src != seen.pod_ips.get(pod):
        return failed(Failure.NO_TRANSLATION, f"{node} translated {asked} to {reply.src}, but {pod} answered")
    if (reply.dst, reply.dport) != answer.local:
        return failed(Failure.NAT_FOUND, f"{node} translated the source too: {own[0].line}")
    return _unheard(seen, asked, port)


def _unheard(seen: Observation, ip: str, port: int) -> Finding:
    """No process on any node listens on ``ip``, be it by name or by a wildcard on a node that owns it."""
    for node, view in seen.kernel.nodes.items():
        heard = (ip, port) in view.listeners or (
            ip in view.addresses and any((wildcard, port) in view.listeners for wildcard in WILDCARDS)
        )
        if heard:
            return failed(Failure.UNEXPECTED_ANSWER, f"a process on {node} listens on {ip}:{port}")
    problem = seen.kernel.problem(node.name for node in seen.view.snapshot.nodes)
    return (
        inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}") if problem else PASSED
    )


def _untracked(seen: Observation, node: str, why: str) -> Finding:
    if problem := seen.kernel.problem([node]):
        return inconclusive(Failure.NO_EVIDENCE, f"the kernel's view is missing: {problem}")
    return failed(Failure.NO_TRANSLATION, why)


@judge.register
def _(expected: model.NotTranslated, seen: Observation) -> Finding:
    return each(seen, lambda answer: _untranslated(seen, answer))


def _untranslated(seen: Observation, answer: Answer) -> Finding:
    if answer.exitcode:
        return failure_of(answer)
    entries = seen.entries(answer)
    for node, entry in entries:
        if entry.translated:
            return failed(Failure.NAT_FOUND, f"{node} translated the connection: {entry.line}")
    node, target = seen.step.place.node, seen.step.work.target
    if entries:
        return PASSED
    if problem := seen.kernel.problem([node]):
        return inconclusive(Failure.NO_EVIDENCE, f"the kernel's view is missing: {problem}")
    neighbour = target is not None and target.pod is not None and target.pod.node == node
    if neighbour and not seen.kernel.nodes[node].filters_bridge:
        return PASSED  # frames that stay on the bridge do not meet netfilter here: nothing could translate
    return inconclusive(Failure.NO_EVIDENCE, f"netfilter on {node} tracked no such connection")


@judge.register
def _(expected: model.Masqueraded, seen: Observation) -> Finding:
    return each(seen, lambda answer: _masqueraded(seen, answer))


def _masqueraded(seen: Observation, answer: Answer) -> Finding:
    """The client's node tracked the connection with its own address, by a rule that counted."""
    if not answer.connected:
        return failure_of(answer)
    node = seen.step.place.node
    own = [entry for at, entry in seen.entries(answer) if at == node]
    if not own:
        return _untracked(seen, node, f"netfilter on {node} tracked no connection to {answer.remote[0]}")
    back = own[0].reply.dst
    if back == own[0].original.src:
        return failed(Failure.NO_TRANSLATION, f"{node} kept the Pod's address: {own[0].line}")
    if problem := seen.kernel.problem([node]):
        return inconclusive(Failure.NO_EVIDENCE, f"the kernel's view is missing: {problem}")
    if back not in seen.kernel.nodes[node].addresses:
        return failed(
            Failure.WRONG_SOURCE, f"{node} replaced the Pod's address by {back}, which it does not have"
        )
    rules = [rule.packets for rule in _masquerades(seen, node)]
    if rules and None not in rules and not any(rules):
        return failed(Failure.NO_TRANSLATION, f"no masquerade rule of {node} counted a packet")
    return PASSED


def _masquerades(seen: Observation, node: str) -> list[Masquerade]:
    """The node's rules that translate sources, with their growth; Docker's are for its own resolver only."""
    grown = seen.kernel.grown.get(node)
    return [rule for rule in grown.masquerades if not rule.chain.startswith("DOCKER")] if grown else []


@judge.register
def _(expected: model.SameTable, seen: Observation) -> Finding:
    ask = seen.step.probe.ask
    if not isinstance(ask, model.Table):
        return inconclusive(Failure.NO_JUDGE, "no Service's table was asked for")
    nodes = [node.name for node in seen.view.snapshot.nodes]
    if problem := seen.kernel.problem(nodes):
        return inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}")
    service = seen.view.service(ask.lab, ask.service)
    tables = {node: seen.kernel.nodes[node].rules.of(f"{service.namespace}/{service.name}") for node in nodes}
    ready = {endpoint.ip for endpoint in seen.view.endpoints(ask.lab, ask.service)}
    for node, table in tables.items():
        if difference := differs(tables[nodes[0]], table, (nodes[0], node)):
            return failed(Failure.TABLES_DIFFER, difference)
        if difference := misdirected(service, ready, node, table):
            return failed(Failure.TABLES_DIFFER, difference)
    return PASSED if len(nodes) > 1 else inconclusive(Failure.NO_EVIDENCE, "there is one node only")


@judge.register
def _(expected: model.ModeInForce, seen: Observation) -> Finding:
    nodes = [node.name for node in seen.view.snapshot.nodes]
    if problem := seen.kernel.problem(nodes):
        return inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}")
    for node in nodes:
        view = seen.kernel.nodes[node]
        if not view.proxy_mode:
            return inconclusive(Failure.NO_EVIDENCE, f"kube-proxy on {node} does not say its mode")
        if view.proxy_mode != view.rules.mode:
            told = f"kube-proxy on {node} says {view.proxy_mode}, the rules there are of {view.rules.mode}"
            return failed(Failure.WRONG_MODE, told)
        if view.proxy_mode not in expected.modes:
            return failed(Failure.WRONG_MODE, f"kube-proxy on {node} runs in mode {view.proxy_mode}")
    return passed(", ".join(f"{seen.kernel.nodes[node].proxy_mode} on {node}" for node in nodes))


@judge.register
def _(expected: model.FollowsRules, seen: Observation) -> Finding:
    told, decision = str(seen.facts.get("told", "")), seen.facts.get("decision")
    if changed := _rules_changed(seen):
        return inconclusive(Failure.RULES_CHANGED, changed)
    if decision == "fair":
        return passed(told)
    if decision == "unfair":
        return failed(Failure.NOT_BALANCED, told)
    return inconclusive(Failure.NOT_BALANCED, told or str(seen.facts.get("problem", "nothing was asked")))


def _rules_changed(seen: Observation) -> str:
    """How the shares in the rules of the client's node changed while it asked, or an empty text."""
    node, target = seen.step.place.node, seen.step.work.target
    if target is None or seen.kernel.problem([node]):
        return ""
    entry = seen.kernel.nodes[node].rules.entries.get(target.key)
    before, after = seen.facts["shares"], entry.shares if entry else {}
    told = f"the rules on {node} changed while they were asked, from {_shares(before)} to {_shares(after)}"
    return "" if after == before else told


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{address} {share:.1%}" for address, share in sorted(shares.items())) or "nobody"


@judge.register
def _(expected: model.VethPair, seen: Observation) -> Finding:
    found = veth_of(seen)
    return found if isinstance(found, Finding) else PASSED


@judge.register
def _(expected: model.BridgePort, seen: Observation) -> Finding:
    veth = veth_of(seen)
    if isinstance(veth, Finding):
        return veth
    place, node = seen.step.place, seen.kernel.nodes[seen.step.place.node]
    way = classify(place.ip, veth, node.wiring, others(seen, place.node))
    if way.kind == "bridge" and way.bridge == expected.bridge:
        return PASSED
    return failed(Failure.NO_BRIDGE, f"here the path is another: {way.told}")


def veth_of(seen: Observation) -> Link | Finding:
    """The node's end of the source Pod's veth pair, or why there is none."""
    node = seen.step.place.node
    if problem := seen.kernel.problem([node]):
        return inconclusive(Failure.NO_EVIDENCE, f"the node could not be asked: {problem}")
    wiring = seen.kernel.nodes[node].wiring
    try:
        own = look(seen.outputs["interface"].text)
    except ValueError as error:
        return inconclusive(Failure.NO_ANSWER, str(error))
    found = node_end(own, wiring.links, wiring.fdb)
    return found if isinstance(found, Link) else failed(Failure.NO_VETH, found)


def others(seen: Observation, node: str) -> list[OtherNode]:
    """The other nodes of the cluster, as the API has them."""
    return [OtherNode(n.name, n.pod_cidr, n.ip) for n in seen.view.snapshot.nodes if n.name != node]
