"""Who answers a Service's client over many connections: one Pod, several, or its own node's (K5, K6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.destinations import Service
from scripts.checks.peers import answering
from scripts.checks.request import echoed, succeeded
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence.identity import HEADER_NONCE, HEADER_POD
from scripts.evidence.view import MissingPeer, NotHere, View
from scripts.transport.executor import Place

TIMES = 20
"""Connections: with two fair Pods, all of them meet the same Pod once in 500,000 times."""


@dataclass(frozen=True)
class Answered:
    """How often each Pod answered, by name. ``lost``: no answer of its own; ``unknown``: not reported."""

    by_pod: dict[str, int]
    lost: int
    unknown: int


@dataclass(frozen=True)
class Answerers(Scenario):
    """Connections over which the same Pod answers, several do, or only those of the client's node."""

    alone: ClassVar[bool] = False

    to: Service
    who: Literal["one Pod", "several Pods", "its own node's Pods"]

    def __str__(self) -> str:
        return f"{self.to} {TIMES} times"

    @property
    def expected(self) -> str:
        """Who."""
        return f"{self.who} answer{'s' if self.who == 'one Pod' else ''}"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario."""
        target = self.to.target(place, view)
        service = view.service(self.to.lab, self.to.service)
        ready = [pod for pod in view.snapshot.pods if pod.ready and service.selects(pod)]
        if not ready:
            look = f"kubectl -n {service.namespace} describe pods"
            raise MissingPeer(f"no Pod of {service.name} is ready: look with {look}")
        if self.who == "its own node's Pods":
            if not any(pod.node == place.node for pod in ready):
                raise NotHere(f"no Pod of {service.name} runs on {place.node}")
        else:
            two_pods(self.to, view)
        return Work(target=target)

    def play(self, stage: Stage) -> Observation:
        """One burst."""
        answers = stage.burst(TIMES)
        own = [a for a in answers if a.server.get(HEADER_NONCE) == a.nonce and not a.exitcode]
        by_pod = Counter(answer.server.get(HEADER_POD, "") for answer in own)
        facts = Answered(dict(by_pod), len(answers) - len(own), TIMES - len(answers))
        worst = [answer for answer in answers if answer not in own] or answers
        return Observation(stage.step, stage.view, answers=tuple(worst[:1]), facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """Compares the Pods' own words with the API."""
        facts: Answered = seen.facts
        service = seen.view.service(self.to.lab, self.to.service)
        nodes = {pod.name: pod.node for pod in seen.view.snapshot.pods if service.selects(pod)}
        told = ", ".join(f"{pod or 'somebody'} {n}" for pod, n in sorted(facts.by_pod.items())) or "nobody"
        if facts.lost:
            bad = succeeded(seen, seen.answers[0]) or echoed(seen.answers[0])
            why = f"{facts.lost} of {TIMES} connections got no answer ({told})"
            kind = bad.failure if bad and bad.failure else Failure.NO_ANSWER
            return failed(kind, f"{why}, such as this: {bad.why}" if bad else why)
        if strange := {*facts.by_pod} - {*nodes}:
            who = ", ".join(pod or "somebody" for pod in sorted(strange))
            why = f"{who} answered, which {service.name} does not select"
            return failed(Failure.WRONG_RESPONDER, why)
        if self.who == "one Pod" and len(facts.by_pod) > 1:
            return failed(Failure.NOT_KEPT, f"the client was not kept at one Pod: {told}")
        if self.who == "its own node's Pods":
            elsewhere = [pod for pod in facts.by_pod if nodes[pod] != seen.step.place.node]
            if elsewhere:
                why = f"{', '.join(elsewhere)} answered, on another node than {seen.step.place.node}"
                return failed(Failure.WRONG_RESPONDER, why)
        if facts.unknown:
            why = f"curl did not report {facts.unknown} of {TIMES} requests (others: {told})"
            return inconclusive(Failure.LOST_EXIT_CODE, why)
        if self.who == "several Pods" and len(facts.by_pod) < 2:
            return failed(Failure.NOT_BALANCED, f"only {told} answered")
        return passed(told)


def two_pods(to: Service, view: View) -> None:
    """Raises NotHere for a Service with fewer than two ready Pods, and what hides them if something does."""
    service = view.service(to.lab, to.service)
    if sum(pod.ready and service.selects(pod) for pod in view.snapshot.pods) < 2:
        for node in view.snapshot.workers:
            answering(view, node.name)
        raise NotHere(f"{service.name} has fewer than two Pods: nothing shows whether one is kept")
