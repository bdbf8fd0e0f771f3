"""Expectations of what netfilter did to a request's addresses: translated, masqueraded, or left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Observation
from scripts.checks.request import Expectation, each_answer, failure_of
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive, passed, skipped
from scripts.ends import end_of
from scripts.evidence.curl import Answer
from scripts.evidence.identity import HEADER_PEER, HEADER_POD
from scripts.evidence.rules import Masquerade
from scripts.tiers import Tier

PROXY = "kube-proxy"
WILDCARDS = {"0.0.0.0", "*", "::"}


@dataclass(frozen=True)
class Translated(Expectation):
    """Netfilter translated clusterIP to a Pod's IP (conntrack), and no process listens on the clusterIP."""

    dual: ClassVar[bool] = True

    tier: ClassVar[Tier] = Tier.KERNEL

    def __str__(self) -> str:
        return "the kernel translated the clusterIP to the Pod that answered, and nothing listens on it"

    def judge(self, seen: Observation) -> Finding:
        """The client's node must have tracked clusterIP → Pod, and nobody may listen on the clusterIP."""
        return each_answer(seen, lambda answer: self._one(seen, answer))

    def _one(self, seen: Observation, answer: Answer) -> Finding:
        if answer.exitcode:
            return failure_of(seen, answer)
        node, (asked, port) = seen.step.place.node, answer.remote
        own = [entry for at, entry in seen.entries(answer) if at == node and entry.original.dst == asked]
        if not own and (other := served_otherwise(seen, node)):
            return skipped(other)
        if not own:
            return _untracked(seen, node, f"netfilter on {node} tracked no connection to {asked}:{port}")
        reply, pod = own[0].reply, answer.server.get(HEADER_POD, "")
        if reply.src == asked:
            why = f"netfilter on {node} did not translate {asked}: {own[0].line}"
            return failed(Failure.NO_TRANSLATION, why)
        if reply.src != seen.pod_ips.get(pod):
            why = f"{node} translated {asked} to {reply.src}, but {pod} answered"
            return failed(Failure.NO_TRANSLATION, why)
        if (reply.dst, reply.dport) != answer.local:
            return failed(Failure.NAT_FOUND, f"{node} translated the source too: {own[0].line}")
        return _unheard(seen, asked, port)


def served_otherwise(seen: Observation, node: str) -> str:
    """Why no rule of kube-proxy on a node can be judged, where it has none at all; else an empty text."""
    kernel = seen.kernel.nodes.get(node)
    if kernel is None or kernel.problem or kernel.rules.mode != "none" or _proxies(seen, node):
        return ""
    return (
        f"not applicable: {node} has no rules of kube-proxy and runs none; what serves Services there may "
        "rewrite an address before there is a packet"
    )


def _proxies(seen: Observation, node: str) -> bool:
    """Whether the API has a kube-proxy on a node."""
    return any(pod.node == node and pod.labels.get("k8s-app") == PROXY for pod in seen.view.snapshot.pods)


def _unheard(seen: Observation, ip: str, port: int) -> Finding:
    """No process on any node listens on ``ip``, by its address or by a wildcard on a node that owns it."""
    for node, view in seen.kernel.nodes.items():
        heard = (ip, port) in view.listeners or (
            ip in view.addresses and any((wildcard, port) in view.listeners for wildcard in WILDCARDS)
        )
        if heard:
            return failed(Failure.UNEXPECTED_ANSWER, f"a process on {node} listens on {ip}:{port}")
    nodes = [node.name for node in seen.view.snapshot.nodes]
    if problem := seen.kernel.problem(nodes, "listeners", "wiring"):
        return inconclusive(Failure.NO_EVIDENCE, f"not every node could be asked: {problem}")
    return PASSED


def _untracked(seen: Observation, node: str, why: str) -> Finding:
    if problem := seen.kernel.problem([node], "connections"):
        return inconclusive(Failure.NO_EVIDENCE, f"the kernel's view is missing: {problem}")
    if late := seen.kernel.late:
        return inconclusive(Failure.NO_EVIDENCE, f"{why}, or has forgotten it: {late}")
    return failed(Failure.NO_TRANSLATION, why)


@dataclass(frozen=True)
class NotTranslated(Expectation):
    """Conntrack's reply tuple is the mirror image of the original one: no NAT.

    A port that gave way to another connection of the client is none: no rule asked for it. Where no kernel
    is looked at, what the server saw of the client is all the proof, and the finding says so.
    """

    dual: ClassVar[bool] = True

    def __str__(self) -> str:
        return "no NAT"

    def judge(self, seen: Observation) -> Finding:
        """By every node that tracked the connection."""
        if seen.view.blind:
            return each_answer(seen, lambda answer: _unseen(seen, answer))
        return each_answer(seen, lambda answer: self._one(seen, answer))

    def _one(self, seen: Observation, answer: Answer) -> Finding:
        if answer.exitcode:
            return failure_of(seen, answer)
        entries = seen.entries(answer)
        for node, entry in entries:
            elsewhere = entry.reply.src != entry.original.dst or entry.reply.sport != entry.original.dport
            if entry.translated and (elsewhere or not seen.kernel.index.gave_way(node, entry)):
                return failed(Failure.NAT_FOUND, f"{node} translated the connection: {entry.line}")
        node, target = seen.step.place.node, seen.step.work.target
        if entries:
            return PASSED
        if problem := seen.kernel.problem([node], "connections"):
            return inconclusive(Failure.NO_EVIDENCE, f"the kernel's view is missing: {problem}")
        neighbour = target is not None and target.pod is not None and target.pod.node == node
        if neighbour and not seen.kernel.nodes[node].filters_bridge:
            return (
                PASSED  # frames that stay on the bridge do not meet netfilter here: nothing could translate
            )
        return inconclusive(Failure.NO_EVIDENCE, f"netfilter on {node} tracked no such connection")


def _unseen(seen: Observation, answer: Answer) -> Finding:
    """What the client and the server say, where no kernel does."""
    if answer.exitcode:
        return failure_of(seen, answer)
    own, peer = end_of(*answer.local), answer.server.get(HEADER_PEER)
    if peer is None:
        return skipped(f"{Tier.KERNEL.needed}: this server does not say whom it saw")
    if peer != own:
        return failed(Failure.NAT_FOUND, f"the server saw {peer}, the client sent from {own}")
    return passed(f"by client, server and API: the kernel's view is missing ({seen.view.blind})")


@dataclass(frozen=True)
class Masqueraded(Expectation):
    """The client's node replaced the Pod's address by its own: conntrack and the rule's counter say so."""

    tier: ClassVar[Tier] = Tier.KERNEL

    def __str__(self) -> str:
        return "the node's kernel replaced the Pod's address by its own"

    def judge(self, seen: Observation) -> Finding:
        """The client's node tracked the connection with its own address, by a rule that counted."""
        return each_answer(seen, lambda answer: self._one(seen, answer))

    def _one(self, seen: Observation, answer: Answer) -> Finding:
        if not answer.connected:
            return failure_of(seen, answer)
        node = seen.step.place.node
        own = [entry for at, entry in seen.entries(answer) if at == node]
        if not own:
            return _untracked(seen, node, f"netfilter on {node} tracked no connection to {answer.remote[0]}")
        back = own[0].reply.dst
        if back == own[0].original.src:
            return failed(Failure.NO_TRANSLATION, f"{node} kept the Pod's address: {own[0].line}")
        if problem := seen.kernel.problem([node], "wiring"):
            return inconclusive(Failure.NO_EVIDENCE, f"the kernel's view is missing: {problem}")
        if back not in seen.kernel.nodes[node].addresses:
            why = f"{node} replaced the Pod's address by {back}, which it does not have"
            return failed(Failure.WRONG_SOURCE, why)
        rules = [rule.packets for rule in _masquerades(seen, node)]
        if rules and None not in rules and not any(rules):
            return failed(Failure.NO_TRANSLATION, f"no masquerade rule of {node} counted a packet")
        return PASSED

    def counted(self, seen: Observation, node: str) -> list[str]:
        """The rules that translate sources, with their growth during the run."""
        grown = seen.kernel.grown.get(node)
        return [
            f"{node}: rule -A {rule.chain} {rule.rule} counted +{rule.packets}"
            for rule in (grown.masquerades if grown else ())
            if rule.packets
        ]


def _masquerades(seen: Observation, node: str) -> list[Masquerade]:
    """The node's rules that translate sources, with their growth; Docker's are for its own resolver only."""
    grown = seen.kernel.grown.get(node)
    return [rule for rule in grown.masquerades if not rule.chain.startswith("DOCKER")] if grown else []
