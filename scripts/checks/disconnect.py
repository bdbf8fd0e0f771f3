"""A Service loses all its endpoints, and what stands on it fails (claim I11)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.peers import Destination
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive
from scripts.evidence import curl
from scripts.evidence.identity import HEADER_POD
from scripts.evidence.view import View
from scripts.transport.executor import Place
from scripts.waiting import TIMEOUTS, Late, eventually

NOBODY = "podpath-nobody"


@dataclass(frozen=True)
class Statuses:
    """The URL's HTTP status before, without and after endpoints; 0 where it did not come to that."""

    before: int = 0
    without: int = 0
    backend_without: str = ""
    after: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Disconnect(Scenario):
    """Takes every endpoint of the Service behind a URL away, asks the URL, and puts them back."""

    to: Destination
    lab: str
    service: str
    path: str = "/"

    def __str__(self) -> str:
        return f"{self.to} for {self.path} while Service {self.service} has no endpoints"

    @property
    def expected(self) -> str:
        """Before and after a backend answers; between, the same URL fails with a 5xx of the proxy."""
        return "5xx from no backend, and answers before and after"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario."""
        view.service(self.lab, self.service)
        return Work(target=self.to.target(place, view))

    def play(self, stage: Stage) -> Observation:
        """Asks before, without and after endpoints."""
        answers: list[curl.Answer] = []

        def asked(good: bool, what: str) -> curl.Answer:
            answer = eventually(lambda: self._one(stage, good), TIMEOUTS.follow, what)
            answers.append(answer)
            return answer

        before = without = after = 0
        backend = problem = ""
        try:
            before = asked(True, "the URL to answer at first").status
            with self._deserted(stage):
                eventually(
                    lambda: not any(e.ready for e in stage.endpoints(self.lab, self.service)),
                    TIMEOUTS.follow,
                    f"the endpoints of {self.service} to be gone",
                )
                failure = asked(False, "the URL to fail without endpoints")
                without, backend = failure.status, failure.server.get(HEADER_POD, "")
            after = asked(True, "the URL to answer again").status
        except Late as late:
            problem = str(late)
        facts = Statuses(before, without, backend, after, problem)
        return Observation(stage.step, stage.view, answers=tuple(answers), facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """By the three statuses, and by whether a backend answered without endpoints."""
        facts: Statuses = seen.facts
        if facts.problem:
            return failed(Failure.NOT_FOLLOWED, facts.problem)
        if facts.before != 200 or facts.after != 200:
            told = f"{facts.before} before and {facts.after} after"
            why = f"with endpoints the URL answers {told}, not 200"
            return inconclusive(Failure.CONTROL_FAILED, why)
        if not 500 <= facts.without <= 599 or facts.backend_without:
            who = f" from {facts.backend_without}" if facts.backend_without else ""
            return failed(Failure.WRONG_STATUS, f"without endpoints the URL answers {facts.without}{who}")
        return PASSED

    def _deserted(self, stage: Stage) -> AbstractContextManager[int]:
        """While the block runs the Service selects nobody; after it, whom it selected before."""
        path = f"/api/v1/namespaces/{stage.view.namespace(self.lab)}/services/{self.service}"
        change = {"spec": {"selector": {"app": NOBODY}}}
        return stage.patched(path, change, f"selector of Service {self.service}")

    def _one(self, stage: Stage, good: bool) -> curl.Answer | None:
        """An answer with status 200, or with another one."""
        answers = [answer for answer in stage.burst(1, self.path) if not answer.exitcode]
        return next((answer for answer in answers if (answer.status == 200) is good), None)
