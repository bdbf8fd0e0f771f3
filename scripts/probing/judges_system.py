"""How expectations about the kernel, the DNS and a Pod's namespace are judged."""

from __future__ import annotations

import re

from labs import model
from scripts.probing.curl import Answer
from scripts.probing.judges import each, failure_of, judge
from scripts.probing.observation import Observation
from scripts.probing.sections import Output
from scripts.probing.verdict import PASSED, Failure, Finding, combined, failed, inconclusive

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
def _(expected: model.ResolvesTo, seen: Observation) -> Finding:
    target, ask = seen.step.work.target, seen.step.probe.ask
    if target is None or target.service is None or not isinstance(ask, model.Resolve):
        return inconclusive(Failure.NO_JUDGE, "only the name of a Service is resolved")
    pods = {pod.name: pod.ip for pod in seen.view.pods(ask.lab, ask.service)} if ask.pods else {}
    behind = {endpoint.ip for endpoint in seen.view.endpoints(ask.lab, ask.service)}
    whole = {target.service.cluster_ip} if expected.what == "clusterIP" else behind
    return combined(
        _resolved(name, output, {pods[name.split(".")[0]]} if ask.pods else whole)
        for name, output in seen.outputs.items()
    )


def _resolved(name: str, output: Output, wanted: set[str]) -> Finding:
    if output.returncode == 2:  # getent(1): one or more supplied keys could not be found
        return failed(Failure.NAME_UNKNOWN, f"{name} does not resolve")
    if output.returncode:
        return inconclusive(Failure.NO_ANSWER, f"getent {name} ended with {output.returncode}")
    found = {line.split()[0] for line in output.text.splitlines() if line.strip()}
    if found != wanted:
        told = f"{name} resolves to {', '.join(sorted(found))}, not {', '.join(sorted(wanted))}"
        return failed(Failure.WRONG_ADDRESS, told)
    return PASSED


@judge.register
def _(expected: model.PortTaken, seen: Observation) -> Finding:
    ask = seen.step.probe.ask
    if not isinstance(ask, model.Bind):
        return inconclusive(Failure.NO_JUDGE, "nothing tried to listen")
    said = {}
    for line in seen.outputs["bind"].text.splitlines():
        port, _, word = line.partition(" ")
        said[port] = word
    taken, control = said.get(str(ask.port)), said.get(str(ask.control))
    if taken is None or control is None:
        return inconclusive(
            Failure.NO_ANSWER, f"no report on both ports: {seen.outputs['bind'].text.strip()}"
        )
    if control != "ok":
        return inconclusive(Failure.CONTROL_FAILED, f"the free port {ask.control} is refused too: {control}")
    if taken == "ok":
        return failed(Failure.PORT_FREE, f"a second listener on {ask.port} was let in")
    if "in use" not in taken:
        return inconclusive(Failure.NO_ANSWER, f"listening on {ask.port} failed otherwise: {taken}")
    return PASSED


@judge.register
def _(expected: model.SameNamespace, seen: Observation) -> Finding:
    looks = {who: _look(output) for who, output in seen.outputs.items()}
    blind = [who for who, look in looks.items() if look is None]
    if blind:
        said = seen.outputs[blind[0]].text.strip()
        return inconclusive(Failure.NO_ANSWER, f"the namespace of {blind[0]} could not be read: {said}")
    own, stranger = looks["self"], looks["stranger"]
    assert own is not None and stranger is not None
    for who, look in looks.items():
        if who.startswith("other") and look != own:
            return failed(Failure.WRONG_NAMESPACE, f"{seen.step.place} has {own}, the other container {look}")
    if stranger[0] == own[0]:
        why = f"a container of another Pod shows the same {own[0]}: the look proves nothing"
        return inconclusive(Failure.CONTROL_FAILED, why)
    if seen.step.place.ip not in own[1]:
        return failed(Failure.WRONG_ADDRESS, f"the API says {seen.step.place.ip}, the namespace has {own[1]}")
    return PASSED


def _look(output: Output) -> tuple[str, frozenset[str], frozenset[str]] | None:
    """(namespace inode, IPv4 addresses, interface names) of what ``plan.LOOK`` printed."""
    inode = re.search(r"^net:\[\d+\]$", output.text, re.MULTILINE)
    addresses = frozenset(re.findall(r"\binet (\S+?)/", output.text))
    links = frozenset(re.findall(r"^\d+: ([^:@\s]+)[@:]", output.text, re.MULTILINE))
    return (inode[0], addresses, links) if inode and addresses and links and not output.returncode else None


@judge.register
def _(expected: model.SameAddress, seen: Observation) -> Finding:
    facts = seen.facts
    if facts["clusterIP before"] != facts["clusterIP after"]:
        why = f"the clusterIP was {facts['clusterIP before']} and is {facts['clusterIP after']}"
        return failed(Failure.WRONG_ADDRESS, why)
    if facts.get("problem"):
        return failed(Failure.NOT_REPLACED, str(facts["problem"]))
    hits = [answer for answer in seen.answers if answer.server.get(model.HEADER_POD) == facts["new Pod"]]
    if not hits:
        return failed(Failure.NOT_REPLACED, f"the new Pod {facts['new Pod']} did not answer on the clusterIP")
    if any(answer.remote[0] != facts["clusterIP before"] for answer in hits):
        return failed(Failure.WRONG_ADDRESS, "the new Pod answered at another address")
    return PASSED
