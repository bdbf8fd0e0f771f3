"""What a NetworkPolicy denies: judged as observed, for not every cluster enforces any (claim K8).

A refusal or a silence alone shows nothing: a probe with this expectation has positive controls, one from the
same source to a Pod that no policy selects, and one to the same Pod from a source that the policy lets in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Observation
from scripts.checks.request import Expectation, each_answer, echoed, failure_of, succeeded
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.ends import end_of, ip_of
from scripts.evidence.curl import Answer
from scripts.evidence.policyengine import engine, engines, owner_of
from scripts.evidence.ruletrace import MetRule, Passage


@dataclass(frozen=True)
class Denied(Expectation):
    """The NetworkPolicy ``policy`` of the lab lets this source not in to the Pod that is asked."""

    silent: ClassVar[bool] = True

    policy: str

    def __str__(self) -> str:
        return f"NetworkPolicy {self.policy} denies it, or nothing here enforces it"

    def judge(self, seen: Observation) -> Finding:
        """By what the client saw, who is there to enforce it, and the rule that ended the packet."""
        return each_answer(seen, lambda answer: self._judged(seen, answer))

    def _judged(self, seen: Observation, answer: Answer) -> Finding:
        if not answer.connected:
            return self._denied(seen, failure_of(seen, answer).why)
        if strange := succeeded(seen, answer) or echoed(answer):
            return inconclusive(Failure.NO_EVIDENCE, f"a policy would allow no connection: {strange.why}")
        target, who = seen.step.work.target, engine(seen.view)
        pod = target.pod.name if target and target.pod else "it"
        told = f"{pod} answered although NetworkPolicy {self.policy} closes it"
        if any(one.sure for one in engines(seen.view)):
            return failed(Failure.UNEXPECTED_ANSWER, f"{who} is here to enforce NetworkPolicies, and {told}")
        idle = f", although {who} runs" if who else ""
        return passed(f"nothing here enforces NetworkPolicies{idle}: {told}")

    def _denied(self, seen: Observation, client: str) -> Finding:
        """With the rule that ended it, where the nodes named one."""
        who, ended = engine(seen.view), _ended(seen)
        by = f"enforced by {who}" if who else "by whom its Pods do not tell"
        if ended is None:
            return passed(f"NetworkPolicy {self.policy} holds ({by}): {client}")
        passage, rule = ended
        told = f"{passage.node}, {rule.where} rule {rule.number}: {rule.text or 'its policy'}"
        if who and not owner_of(rule) and any(one.chains for one in engines(seen.view)):
            why = f"no rule of {who}'s ended it, so nothing shows that the policy holds ({told})"
            return inconclusive(Failure.NO_EVIDENCE, why)
        return passed(f"NetworkPolicy {self.policy} holds ({by}; {told}): {client}")


def _ended(seen: Observation) -> tuple[Passage, MetRule] | None:
    """Where a rule or a policy ended the request, as the nodes themselves named it."""
    target, source = seen.step.work.target, seen.step.place.ip
    if target is None:
        return None
    to = end_of(target.address, target.port)
    own = (one for one in seen.passages if (ip_of(one.source), one.destination) == (source, to))
    return next(((one, rule) for one in own if (rule := one.end)), None)
