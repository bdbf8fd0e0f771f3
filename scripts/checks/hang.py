"""A Pod of a Service hangs: it accepts connections and answers none, with and without readiness (S7)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import SURE, Observation, Stage, by_pod
from scripts.checks.chance import both_tails
from scripts.checks.membership import Joining, listed, member, path_of, spare_of
from scripts.checks.peers import Target
from scripts.checks.undo import Undo
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence import curl
from scripts.evidence.snapshot import PodInfo
from scripts.tiers import Tier
from scripts.transport.executor import PodExecError
from scripts.waiting import TIMEOUTS, Late, eventually

SIGNAL = """\
for process in /proc/[0-9]*; do
    grep -aq '^nginx: worker' "$process/cmdline" 2>/dev/null || continue
    kill "-$1" "${process#/proc/}" && echo "$1"
done
"""
"""Stops or continues nginx's workers; the kernel goes on accepting connections for them."""
PATIENCE = 1.0
"""Seconds that a request to a Pod that may hang is given."""
LONG_PATIENCE = 5.0
"""Seconds for one that no such Pod should get: on a busy machine one of many may take more than one."""


@dataclass(frozen=True)
class Failures:
    """Of how many connections how many failed, by a time-out or otherwise; ``share`` is the Pod's (0 to 1).

    ``hangs``: a request to the Pod itself hung; ``problem`` says what did not come in time.
    """

    pod: str
    asked: int
    share: float
    failed: int
    failed_otherwise: int
    hangs: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Hang(Joining):
    """Lets a spare Pod join the Service and hang: it accepts connections and answers none.

    ``ready`` says whether the Pod has a readiness probe; then the Service is asked once that has failed, and
    no connection may fail. Else as many fail as the rules send to the Pod, within what chance explains: a
    burst in which chance has less than ``surprise`` is followed by another, which decides.
    """

    own_tier: ClassVar[Tier] = Tier.KERNEL

    ready: bool
    times: int = 120
    surprise: float = 0.001

    def __str__(self) -> str:
        how = "its readiness probe took it out" if self.ready else "without a readiness probe"
        return f"Service {self.service} {self.times} times while Pod {self.spare} hangs, {how}"

    @property
    def negative(self) -> bool:  # type: ignore[override]
        """That no connection fails would be so, too, if the Pod never hung."""
        return self.ready

    @property
    def expected(self) -> str:
        """Which connections fail."""
        if self.ready:
            return "no connection fails"
        return f"the Pod's share of the connections fails (false alarms {self.surprise**2:g})"

    def play(self, stage: Stage) -> Observation:
        """Lets the Pod join and hang, and asks."""
        pod = spare_of(stage, self.lab, self.spare)
        answers: curl.Answers = ()
        hangs, share, problem = False, 0.0, ""
        try:
            listed(stage, self.lab, self.service, pod, False)
            with member(stage, pod, self.service):
                listed(stage, self.lab, self.service, pod, True)
                eventually(
                    lambda: by_pod(stage.burst(), pod.name), TIMEOUTS.follow, f"an answer of {pod.name}"
                )
                share = self._share(stage, pod)
                with hanging(stage, pod):
                    hangs = self._hangs(stage, pod)
                    if self.ready:
                        listed(stage, self.lab, self.service, pod, False)
                        eventually(
                            lambda: _none_fails(stage.burst(SURE, total=PATIENCE)),
                            TIMEOUTS.follow,
                            "the client's node to send nothing to the Pod any more",
                        )
                    answers = self._asked(stage, share)
        except Late as late:
            problem = str(late)
        failures = [answer for answer in answers if answer.exitcode]
        silent = _silent(answers)
        facts = Failures(
            f"{pod.name} {pod.ip}",
            len(answers),
            0 if self.ready else share,
            silent,
            len(failures) - silent,
            hangs,
            problem,
        )
        return Observation(stage.step, stage.view, answers=answers, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """How many of none failed says nothing, neither way."""
        facts: Failures = seen.facts
        if facts.problem:
            return failed(Failure.NOT_FOLLOWED, facts.problem)
        if not facts.asked:
            return inconclusive(Failure.NO_EVIDENCE, "no connection was reported")
        return self._prevented(facts) if self.ready else self._by_share(facts)

    def _by_share(self, facts: Failures) -> Finding:
        """Two-sided: neither more nor fewer connections fail than the Pod's share explains."""
        asked, hung = facts.asked, facts.failed
        if facts.failed_otherwise:
            why = f"{facts.failed_otherwise} connections failed in another way than by a time-out"
            return failed(Failure.NO_ANSWER, why)
        if not hung:
            why = f"none of {asked} connections failed, while {facts.pod} hangs"
            return failed(Failure.WRONG_SHARE, why)
        if self._surprises(hung, asked, facts.share):
            told = f"{hung} of {asked} connections failed, the Pod's share is {facts.share:.1%}"
            return failed(Failure.WRONG_SHARE, told)
        told = f"{hung} of {asked} connections failed ({hung / asked:.1%})"
        return passed(f"{told}, the Pod's share is {facts.share:.1%}")

    def _prevented(self, facts: Failures) -> Finding:
        if lost := facts.failed + facts.failed_otherwise:
            limit = f"{facts.failed} got no answer within {LONG_PATIENCE:g} s"
            why = f"{lost} of {facts.asked} connections failed although readiness did ({limit})"
            return failed(Failure.WRONG_SHARE, why)
        if not facts.hangs:
            why = f"{facts.pod} did not hang when it was asked itself"
            return inconclusive(Failure.CONTROL_FAILED, why)
        return passed(f"none of {facts.asked} connections failed, while a request to the Pod itself hung")

    def _asked(self, stage: Stage, share: float) -> curl.Answers:
        if self.ready:
            return stage.burst(self.times, total=LONG_PATIENCE)
        answers = stage.burst(self.times, total=PATIENCE)
        again = self._surprises(_silent(answers), len(answers), share)
        return stage.burst(self.times, total=PATIENCE) if again else answers

    def _surprises(self, hung: int, asked: int, share: float) -> bool:
        return both_tails(hung, asked, share) < self.surprise

    def _share(self, stage: Stage, pod: PodInfo) -> float:
        """The probability with which the rules of the source's node send a connection to the Pod (0 to 1)."""
        entry = stage.rules().entries.get(stage.target.key)
        return sum(
            float(backend.share) for backend in (entry.backends if entry else ()) if backend.ip == pod.ip
        )

    def _hangs(self, stage: Stage, pod: PodInfo) -> bool:
        """Whether the Pod itself, asked by its own IP, accepts a connection and then says nothing."""
        itself = stage.towards(Target(pod.ip, stage.target.port, (pod.ip,), pod=pod))
        (answer,) = itself.burst(1, total=PATIENCE) or (None,)
        return answer is not None and answer.exitcode == 28 and answer.connected


def hanging(stage: Stage, pod: PodInfo) -> AbstractContextManager[int]:
    """While the block runs the Pod's nginx hangs; after it, it answers again."""
    place = stage.view.place(pod, "nginx")
    go_on = Undo(f"hanging nginx of Pod {pod.name}", path_of(pod), pod.uid, place=place, argv=_signal("CONT"))

    def stop() -> None:
        if b"STOP" not in stage.execute(place, _signal("STOP")).stdout:
            raise PodExecError(f"no nginx worker of {place} could be sent SIGSTOP")

    return stage.changing(go_on, stop)


def _signal(name: str) -> tuple[str, ...]:
    return "sh", "-c", SIGNAL, "sh", name


def _none_fails(answers: curl.Answers) -> bool:
    return bool(answers) and not any(answer.exitcode for answer in answers)


def _silent(answers: curl.Answers) -> int:
    """How many got no answer in time (curl exit 28)."""
    return sum(answer.exitcode == 28 for answer in answers)
