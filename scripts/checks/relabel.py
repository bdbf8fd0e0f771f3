"""Labels and selectors define the set: a Pod gets the label that a Service selects, and loses it (S3)."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.checks.base import SURE, Observation, Stage, absent, by_pod
from scripts.checks.membership import Joining, listed, member, spare_of
from scripts.checks.verdict import PASSED, Failure, Finding, failed
from scripts.evidence import curl
from scripts.waiting import TIMEOUTS, Late, eventually


@dataclass(frozen=True)
class Membership:
    """How often the Pod answered before, within and after; ``problem`` says what did not come in time."""

    pod: str
    answers_before: int = 0
    answers_within: int = 0
    answers_after: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Relabel(Joining):
    """Gives a spare Pod the label that the Service selects, and takes it away again."""

    def __str__(self) -> str:
        return f"Service {self.service} while Pod {self.spare} gets its label and loses it"

    @property
    def expected(self) -> str:
        """With the label the Pod is among the endpoints and answers; without it neither."""
        return "it joins and answers, it leaves and stops answering"

    def play(self, stage: Stage) -> Observation:
        """Asks before, within and after the membership."""
        pod = spare_of(stage, self.lab, self.spare)
        before = within = after = 0
        answers: curl.Answers = ()
        problem = ""
        try:
            listed(stage, self.lab, self.service, pod, False)
            before = by_pod(stage.burst(), pod.name)
            with member(stage, pod, self.service):
                listed(stage, self.lab, self.service, pod, True)
                within = eventually(
                    lambda: by_pod(stage.burst(), pod.name), TIMEOUTS.follow, f"an answer from {pod.name}"
                )
            listed(stage, self.lab, self.service, pod, False)
            eventually(
                lambda: absent(stage.burst(SURE), pod.name), TIMEOUTS.follow, f"{pod.name} to stop answering"
            )
            answers = stage.burst()
            after = by_pod(answers, pod.name)
        except Late as late:
            problem = str(late)
        facts = Membership(f"{pod.name} {pod.ip}", before, within, after, problem)
        return Observation(stage.step, stage.view, answers=answers, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """By how often the Pod answered in each phase."""
        facts: Membership = seen.facts
        if facts.problem:
            return failed(Failure.NOT_FOLLOWED, facts.problem)
        if facts.answers_before or facts.answers_after:
            when = "before it had" if facts.answers_before else "after it lost"
            return failed(Failure.NOT_FOLLOWED, f"{facts.pod} answered {when} the label")
        if not facts.answers_within:
            return failed(Failure.NOT_FOLLOWED, f"{facts.pod} had the label and did not answer")
        return PASSED
