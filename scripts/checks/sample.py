"""Requests to a Service until it is clear whether the Pods' shares are those of the rules (claim S2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.chance import SELDOM
from scripts.checks.destinations import Service
from scripts.checks.membership import one_pod_a_client
from scripts.checks.sequential import Decision, SequentialTest
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed, skipped
from scripts.evidence import curl
from scripts.evidence.identity import HEADER_NONCE, HEADER_POD
from scripts.evidence.rules import SAME_SHARE
from scripts.evidence.view import View
from scripts.tiers import Tier
from scripts.transport.executor import Place

ROUND = 150
"""Requests of one exec: for three fair Pods the test mostly decides within one or two."""
ROUNDS = 12


@dataclass(frozen=True)
class Shares:
    """How a sample ended. ``rule`` are the shares by Pod, ``by_address`` the same by address."""

    asked: int
    decision: Decision | None
    told: str
    rule: Mapping[str, float]
    by_address: Mapping[str, float]


@dataclass(frozen=True)
class Sample(Scenario):
    """GETs over fresh connections, one round after another, until the test has decided on their shares.

    ``false_alarm`` is the probability of calling fair shares unfair, ``miss`` that of calling fair what
    differs by ``effect`` (total variation distance) or more.
    """

    alone: ClassVar[bool] = False
    own_tier: ClassVar[Tier] = Tier.KERNEL

    to: Service
    path: str = "/whoami"
    false_alarm: float = SELDOM
    miss: float = 0.01
    effect: float = 0.15

    def __str__(self) -> str:
        return f"{self.to} for {self.path} until its shares are decided"

    @property
    def expected(self) -> str:
        """The answers' shares are those of the rules (sequential test at these rates)."""
        rates = f"false alarms {self.false_alarm:g}, misses {self.miss:g} from {self.effect:g} on"
        return f"the shares that the rules give ({rates})"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The rounds are sent by the scenario."""
        one_pod_a_client(view.service(self.to.lab, self.to.service))
        return Work(target=self.to.target(place, view))

    def play(self, stage: Stage) -> Observation:
        """Rounds until the test decides."""
        step, view, place = stage.step, stage.view, stage.step.place
        service = view.service(self.to.lab, self.to.service)
        if strangers := view.strangers(service):
            return Observation(step, view, lost=failed(Failure.WRONG_RESPONDER, strangers[0]))
        if problem := stage.before.problem([place.node], "rules"):
            return Observation(step, view, lost=inconclusive(Failure.NO_EVIDENCE, problem))
        key = stage.target.key
        entry = stage.before.nodes[place.node].rules.entries.get(key)
        if service.local and entry is not None and len(entry.backends) == 1:
            why = f"internalTrafficPolicy Local: one Pod of {service.name} is on {place.node}"
            return Observation(step, view, lost=skipped(why))
        if entry is None or len(entry.backends) < 2:
            count = len(entry.backends) if entry else "no"
            why = f"{place.node} has {count} backends for {key}: nothing to balance"
            return Observation(step, view, lost=inconclusive(Failure.NOT_BALANCED, why))
        if abs(sum(entry.shares.values()) - 1) > SAME_SHARE:
            why = f"the rules that {place.node} lists for {key} give away {sum(entry.shares.values()):.1%}"
            return Observation(step, view, lost=inconclusive(Failure.NO_EVIDENCE, f"{why}: some are missing"))
        pods = {pod.ip: pod.name for pod in view.snapshot.pods}
        shares = {pods.get(backend.ip, backend.ip): float(backend.share) for backend in entry.backends}
        test = SequentialTest(shares, self.false_alarm, self.miss, self.effect)
        answers: list[curl.Answer] = []
        for _ in range(ROUNDS):
            fresh = stage.burst(ROUND, self.path)
            answers += fresh
            for answer in fresh:
                test.add(_responder(answer))
            if test.decision:
                break
        facts = Shares(test.asked, test.decision, test.told(), shares, entry.shares)
        return Observation(step, view, answers=tuple(answers[: test.asked]), facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """The test's decision, unless the rules changed meanwhile."""
        facts: Shares = seen.facts
        if changed := _rules_changed(seen, facts):
            return inconclusive(Failure.RULES_CHANGED, changed)
        if facts.decision == "fair":
            return passed(facts.told)
        if facts.decision == "unfair":
            return failed(Failure.NOT_BALANCED, facts.told)
        return inconclusive(Failure.NOT_BALANCED, facts.told)


def _responder(answer: curl.Answer) -> str:
    """Who answered this request; anything else that came back is a category of its own."""
    if answer.exitcode:
        return f"curl exit {answer.exitcode} ({answer.error})"
    if answer.server.get(HEADER_NONCE) != answer.nonce:
        return "an answer to another request"
    return answer.server.get(HEADER_POD, "a server without an identity")


def _rules_changed(seen: Observation, facts: Shares) -> str:
    """How the shares in the rules of the client's node changed while it asked, or an empty text."""
    node, target = seen.step.place.node, seen.step.work.target
    if target is None or seen.kernel.problem([node], "rules"):
        return ""
    entry = seen.kernel.nodes[node].rules.entries.get(target.key)
    before, after = facts.by_address, entry.shares if entry else {}
    told = f"the rules on {node} changed while they were asked, from {_told(before)} to {_told(after)}"
    return "" if after == before else told


def _told(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{address} {share:.1%}" for address, share in sorted(shares.items())) or "nobody"
