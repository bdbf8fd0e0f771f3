"""Nothing is lost: of many connections none has to repeat its SYN (claim K2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.chance import wilson
from scripts.checks.peers import Destination
from scripts.checks.request import failure_of
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence.curl import Answer
from scripts.evidence.snmp import COUNTERS, counters
from scripts.evidence.view import View
from scripts.transport.executor import Place

TIMES = 200
SLOW = 0.9
"""Seconds to connect from which on the SYN may have been sent again: its first time-out is 1 s (RFC 6298)."""
LATE = 28
"""curl's exit code for a connection or an answer that did not come in time."""


@dataclass(frozen=True)
class Losses:
    """Of ``asked`` connections: ``slow`` to be established, ``late`` (timed out), and failed in another way.

    ``syns_again`` and ``again`` are the SYNs and the segments altogether that the source's network namespace
    sent again meanwhile; None if it does not report them.
    """

    asked: int
    slow: int
    late: int
    failed: int
    syns_again: int | None
    again: int | None

    @property
    def repeated(self) -> int:
        """Connections established by a SYN sent again: the slow ones, but at most as many as such SYNs."""
        return min(self.slow, max(0, (self.syns_again or 0) - self.late))


@dataclass(frozen=True)
class Steady(Scenario):
    """Many connections, one request each, and what the source's TCP had to send again.

    Its source should be a Pod that asks nobody else meanwhile: the counters are those of the whole Pod.
    """

    alone: ClassVar[bool] = False

    to: Destination
    times: int = TIMES

    def __str__(self) -> str:
        return f"{self.to} {self.times} times"

    @property
    def expected(self) -> str:
        """Each connection at once."""
        return "no connection repeats its SYN, none fails"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario."""
        return Work(target=self.to.target(place, view))

    def play(self, stage: Stage) -> Observation:
        """A burst, between two looks at the counters."""
        before = _counters(stage)
        answers = stage.burst(self.times)
        after = _counters(stage)
        losses = Losses(
            len(answers),
            sum(_slow(answer) for answer in answers),
            sum(answer.exitcode == LATE for answer in answers),
            sum(answer.exitcode not in (0, LATE) for answer in answers),
            _grown(before, after, "TCPSynRetrans"),
            _grown(before, after, "RetransSegs"),
        )
        worst = sorted(answers, key=lambda answer: (answer.exitcode in (0, LATE), not answer.exitcode))[:1]
        return Observation(stage.step, stage.view, answers=tuple(worst), facts=losses)

    def judge(self, seen: Observation) -> Finding:
        """A slow connection alone may be a busy processor: the kernel has to have sent a SYN again."""
        facts: Losses = seen.facts
        if not facts.asked:
            return inconclusive(Failure.NO_EVIDENCE, "no connection was reported")
        if facts.failed or facts.late == facts.asked:
            finding = failure_of(seen, seen.answers[0])
            bad = f"{facts.failed or facts.late} of {facts.asked} connections failed"
            return failed(finding.failure or Failure.NO_ANSWER, f"{bad}, such as this: {finding.why}")
        again = f"{facts.syns_again} SYNs and {facts.again} segments altogether were sent again"
        if lost := facts.repeated + facts.late:
            low, high = wilson(lost, facts.asked)
            share = f"({low:.1%} to {high:.1%} at 95 %)"
            what = f"{facts.repeated} repeated their SYN and {facts.late} timed out {share}"
            why = f"of {facts.asked} connections from {seen.step.place} {what}"
            return failed(Failure.PACKETS_LOST, why if facts.again is None else f"{why}; {again}")
        if facts.asked < self.times:
            why = f"only {facts.asked} of {self.times} connections were reported"
            return inconclusive(Failure.NO_EVIDENCE, why)
        if facts.slow and facts.syns_again is None:
            why = f"{facts.slow} of {facts.asked} connections took {SLOW:g} s or more to be established"
            return inconclusive(Failure.NO_EVIDENCE, f"{why}, and whether a SYN was sent again is not known")
        if facts.again is None or facts.syns_again is None:
            return passed(f"{facts.asked} connections, each established within {SLOW:g} s")
        return passed(f"{facts.asked} connections, none repeated its SYN; {again}")


def _slow(answer: Answer) -> bool:
    return answer.connected and not answer.exitcode and float(answer.client["time_connect"]) >= SLOW


def _counters(stage: Stage) -> dict[str, int]:
    """What the TCP of the source's network namespace has counted so far."""
    text = stage.execute(stage.step.place, [*COUNTERS]).stdout.decode(errors="replace")
    return counters(text)


def _grown(before: dict[str, int], after: dict[str, int], counter: str) -> int | None:
    """How much a counter grew; None if it is missing."""
    return after[counter] - before[counter] if counter in before and counter in after else None
