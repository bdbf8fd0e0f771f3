"""How long sessionAffinity keeps a client: until it is silent for a while, and until its Pod goes (K5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.answerers import two_pods
from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.destinations import Service
from scripts.checks.renewal import complete, deleted, pods_of
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence import curl
from scripts.evidence.identity import HEADER_NONCE, HEADER_POD
from scripts.evidence.view import View
from scripts.transport.executor import Place
from scripts.waiting import TIMEOUTS, Late, eventually

TIMES = 11
"""Connections at once: beside one other Pod, a client that is not kept meets only one once in 1,024 times."""
PATIENCE = 30.0
"""Seconds for which a client that should be free meets the same Pod: over a second apart, by chance never."""


@dataclass(frozen=True)
class Keeping:
    """Who answered while the client was kept, who answered after that, and how often it was asked for that.

    ``problem`` says what did not come in time, ``silent`` how many of the tries nobody answered.
    """

    first: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    tries: int = 0
    problem: str = ""
    silent: int = 0


@dataclass(frozen=True)
class Keeps(Scenario):
    """A scenario that asks a Service which keeps its clients."""

    to: Service

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario; raises NotHere where nothing could show that one is kept."""
        two_pods(self.to, view)
        return Work(target=self.to.target(place, view))


@dataclass(frozen=True)
class Freed(Keeps):
    """Asks a Service that keeps its clients for ``seconds``, and again when the client was silent so long."""

    alone: ClassVar[bool] = False

    seconds: float

    def __str__(self) -> str:
        return f"{self.to} at once and more than {self.seconds:g} s apart"

    @property
    def expected(self) -> str:
        """Kept first, then free."""
        return "one Pod answers at first, another one later"

    def play(self, stage: Stage) -> Observation:
        """A burst, then one request after the other, each after a silence."""
        answers = stage.burst(TIMES)
        first, tries, silent, then, problem = _pods(answers), 0, 0, tuple[str, ...](), ""

        def other() -> bool:
            nonlocal tries, silent, then
            tries += 1
            then = _pods(stage.burst(1))
            silent += not then
            return bool(then) and then != first

        try:
            if len(first) == 1:
                eventually(other, PATIENCE, "another Pod to answer", every=self.seconds + 0.3)
        except Late as late:
            problem = str(late)
        facts = Keeping(first, then, tries, problem, silent)
        return Observation(stage.step, stage.view, answers=answers[:1], facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """By who answered at first, and later: a try that nobody answered may have been another Pod's."""
        facts: Keeping = seen.facts
        if finding := _unkept(facts):
            return finding
        pause = f"after {self.seconds + 0.3:g} s of silence"
        if facts.silent and facts.problem:
            told = f"{facts.tries - facts.silent} of {facts.tries} times {pause}, nobody the other times"
            return failed(Failure.NO_ANSWER, f"{facts.first[0]} answered the client {told}")
        if facts.problem:
            why = f"{facts.first[0]} answered the client {facts.tries} times {pause}, no other Pod did"
            return failed(Failure.NOT_BALANCED, why)
        told = f"{facts.first[0]} answered {TIMES} connections at once; after {self.seconds:g} s of silence"
        return passed(f"{told} the client was free: {facts.then[0]} answered (at try {facts.tries})")


@dataclass(frozen=True)
class Bereft(Keeps):
    """Deletes the Pod at which a client is kept: another one answers it at once, and keeps it."""

    beside: ClassVar[bool] = True

    workload: str

    def __str__(self) -> str:
        return f"{self.to} while the Pod that it is kept at goes"

    @property
    def expected(self) -> str:
        """Who answers."""
        return "one Pod answers at first, one other Pod after that"

    def play(self, stage: Stage) -> Observation:
        """A burst, the Pod's end, and another burst once somebody else answers."""
        answers = stage.burst(TIMES)
        first, then, problem = _pods(answers), tuple[str, ...](), ""
        pods = [pod for pod in pods_of(stage, self.to.lab, self.workload) if (pod.name,) == first]
        try:
            for pod in pods:
                deleted(stage, pod)
                eventually(
                    lambda: _pods(stage.burst(1)) not in ((), first),
                    TIMEOUTS.follow,
                    f"another Pod than {pod.name}, which was deleted, to answer its client",
                )
                then = _pods(stage.burst(TIMES))
                complete(stage, self.to.lab, self.workload, [pod.uid])
        except Late as late:
            problem = str(late)
        facts = Keeping(first, then, 1, problem)
        return Observation(stage.step, stage.view, answers=answers[:1], facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """By who answered before, and after."""
        facts: Keeping = seen.facts
        if finding := _unkept(facts):
            return finding
        if facts.problem:
            return failed(Failure.NOT_FOLLOWED, facts.problem)
        if len(facts.then) != 1:
            why = (
                f"after {facts.first[0]} had gone, {', '.join(facts.then) or 'nobody'} answered, not one Pod"
            )
            return failed(Failure.NOT_KEPT, why)
        return passed(f"first {facts.first[0]} answered, once it was deleted {facts.then[0]}, and no other")


def _pods(answers: curl.Answers) -> tuple[str, ...]:
    """The Pods that answered, by name; an answer to another request counts as nobody's."""
    own = [a for a in answers if not a.exitcode and a.server.get(HEADER_NONCE) == a.nonce]
    return tuple(sorted({answer.server.get(HEADER_POD, "") for answer in own}))


def _unkept(facts: Keeping) -> Finding | None:
    """A finding unless exactly one Pod answered at first."""
    if not facts.first:
        return inconclusive(Failure.NO_EVIDENCE, "no connection was answered at first")
    if len(facts.first) > 1:
        return failed(Failure.NOT_KEPT, f"the client was not kept at one Pod: {', '.join(facts.first)}")
    return None
