"""Requests to a Service until it is clear whether the Pods' shares are those of the rules (claim S2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.chance import SELDOM, binomial_tail
from scripts.checks.destinations import Service
from scripts.checks.membership import one_pod_a_client
from scripts.checks.request import failure_of
from scripts.checks.sequential import Decision, SequentialTest
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed, skipped
from scripts.ends import ip_of
from scripts.evidence import curl
from scripts.evidence.identity import HEADER_NONCE, HEADER_POD
from scripts.evidence.rules import SAME_SHARE
from scripts.evidence.view import View
from scripts.tiers import Tier
from scripts.transport.executor import Place

ROUND = 150
"""Requests of one exec: for three fair Pods the test mostly decides within one or two."""
ROUNDS = 12
ASTRAY = 0.02
"""Share of connections that may get no answer before the Service is to blame: a machine that stands still
for two seconds loses one, an endpoint that nobody has loses its whole share. What the network loses, K2
counts."""


@dataclass(frozen=True)
class Shares:
    """How a sample ended. ``rule`` are the shares by Pod, ``by_address`` the same by address.

    ``asked`` are the answers up to the decision; of ``sent`` connections ``unanswered`` got no answer.
    """

    asked: int
    decision: Decision | None
    told: str
    rule: Mapping[str, float]
    by_address: Mapping[str, float]
    sent: int = 0
    unanswered: int = 0

    @property
    def too_many_unanswered(self) -> bool:
        """Whether more got no answer than go astray by chance."""
        return binomial_tail(self.unanswered, self.sent, ASTRAY) < SELDOM


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
        answered: list[curl.Answer] = []
        unanswered: list[curl.Answer] = []
        for _ in range(ROUNDS):
            for answer in stage.burst(ROUND, self.path):
                if answer.exitcode:
                    unanswered.append(answer)
                else:
                    answered.append(answer)
                    test.add(_responder(answer))
            sent, lost = len(answered) + len(unanswered), len(unanswered)
            facts = Shares(test.asked, test.decision, test.told(), shares, entry.shares, sent, lost)
            if facts.decision or facts.too_many_unanswered:
                break
        answers = (*unanswered[:1], *answered[: test.asked])
        return Observation(step, view, answers=answers, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """The test's decision, unless the rules changed meanwhile or they lead to where nobody answers."""
        facts: Shares = seen.facts
        if changed := _rules_changed(seen, facts):
            return inconclusive(Failure.RULES_CHANGED, changed)
        if facts.unanswered and (unheard := _unheard(seen, facts)):
            return unheard
        told = facts.told
        if facts.unanswered:
            told += f"; {facts.unanswered} of {facts.sent} connections got no answer"
        if facts.decision == "fair":
            return passed(told)
        if facts.decision == "unfair":
            return failed(Failure.NOT_BALANCED, told)
        return inconclusive(Failure.NOT_BALANCED, told)


def _unheard(seen: Observation, facts: Shares) -> Finding | None:
    """A finding if the rules led connections to no endpoint, or if more got no answer than chance loses."""
    astray = _astray(seen, facts)
    if not astray and not facts.too_many_unanswered:
        return None
    finding = failure_of(seen, seen.answers[0])
    why = f"{facts.unanswered} of {facts.sent} connections got no answer, such as this: {finding.why}"
    return failed(finding.failure or Failure.NO_ANSWER, f"{why}{astray}")


def _astray(seen: Observation, facts: Shares) -> str:
    """Where the source's node sent connections by its rules although no endpoint is ready there, in words.

    What an earlier change of the rules left in the connection table does not count.
    """
    place, target = seen.step.place, seen.step.work.target
    if target is None or target.service is None:
        return ""
    ready = {one.ip for one in seen.view.endpoints(target.lab, target.service.name)}
    nobody = {ip_of(address) for address in facts.by_address} - ready
    went = Counter(
        entry.reply.src
        for node, entry in seen.kernel.index.at((target.address, target.port))
        if node == place.node and entry.original.src == place.ip and entry.state == "SYN_SENT"
    )
    return "".join(
        f"; {count} went to {ip}, which is no ready endpoint" for ip, count in went.items() if ip in nobody
    )


def _responder(answer: curl.Answer) -> str:
    """Who answered this request; anything else that came back is a category of its own."""
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
