"""Two Deployments are rolled while clients ask their Services: one whose Pods end gracefully, one not (K7).

A Pod that is deleted leaves the Service's endpoints and is sent SIGTERM at the same moment. Until every
node's rules have followed, connections still go to it. A preStop hook that waits lets it serve them; without
one the server is gone first.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.destinations import Service
from scripts.checks.renewal import complete, pods_of
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence.view import View
from scripts.transport import background
from scripts.transport.executor import Place
from scripts.transport.tokens import token
from scripts.waiting import TIMEOUTS, Late, eventually

ASK = """\
while :; do
    told=$(curl -q -s --noproxy '*' -o /dev/null --max-time 2 -w '%{exitcode} %header{x-podpath-pod}' "$1")
    echo "asked ${told}"
    sleep 0.05
done
"""
"""Prints "asked <curl's exit code> <Pod that answered>" for one connection after the other.

In between it sleeps: what it watches needs the processors, too.
"""
LEAST = 20
"""Connections, fewer of which show nothing of a change that takes seconds."""
_LINE = re.compile(r"asked (\d+) ?(\S*)")


@dataclass(frozen=True)
class Asked:
    """A Deployment's connections while it was rolled: how many, how many failed (curl's exit codes), and how
    many of its new Pods answered."""

    workload: str
    connections: int = 0
    failed: int = 0
    exit_codes: tuple[int, ...] = ()
    new_pods: int = 0


@dataclass(frozen=True)
class Rolled:
    """Both halves; ``problem`` says what did not come in time."""

    graceful: Asked
    abrupt: Asked
    problem: str = ""


@dataclass(frozen=True)
class Roll(Scenario):
    """Rolls two Deployments, each behind a Service of its own name, while a client asks both."""

    beside: ClassVar[bool] = True

    lab: str
    graceful: str
    abrupt: str
    port: int = 80

    def __str__(self) -> str:
        return f"Services {self.graceful} and {self.abrupt} while their Deployments are rolled"

    @property
    def expected(self) -> str:
        """Both halves."""
        return f"{self.graceful}, whose Pods wait before they end, loses no connection; told how many without"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario."""
        view.service(self.lab, self.abrupt)
        view.pods(self.lab, self.graceful), view.pods(self.lab, self.abrupt)
        return Work(target=Service(self.lab, self.graceful, self.port).target(place, view))

    def play(self, stage: Stage) -> Observation:
        """Rolls both at once, to Pods of a new template, and takes the change of the template back."""
        with ThreadPoolExecutor(2) as threads:
            halves = [
                threads.submit(copy_context().run, self._rolled, stage, name)
                for name in (self.graceful, self.abrupt)
            ]
            (graceful, problem), (abrupt, other) = (half.result() for half in halves)
        facts = Rolled(graceful, abrupt, problem or other)
        return Observation(stage.step, stage.view, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """None may be lost by the graceful half; what the other one loses is told."""
        facts: Rolled = seen.facts
        if facts.problem:
            return inconclusive(Failure.NOT_REPLACED, facts.problem)
        for half in (facts.graceful, facts.abrupt):
            if half.connections < LEAST or not half.new_pods:
                why = f"{half.connections} connections to {half.workload}, {half.new_pods} new Pods answered"
                return inconclusive(Failure.NO_EVIDENCE, f"{why}: too few to tell")
        if lost := facts.graceful.failed:
            codes = ", ".join(map(str, facts.graceful.exit_codes))
            why = f"{lost} of {facts.graceful.connections} connections to {self.graceful} failed"
            why = f"{why} (curl exit {codes}) although its Pods wait before they end"
            return failed(Failure.PACKETS_LOST, why)
        kept = f"none of {facts.graceful.connections} connections to {self.graceful} was lost"
        lost = facts.abrupt.failed
        told = f"{lost or 'none'} of {facts.abrupt.connections} to {self.abrupt}, whose Pods end at once"
        return passed(f"{kept}; {told}" + ("" if lost else ": kube-proxy was quicker than the next one"))

    def _rolled(self, stage: Stage, name: str) -> tuple[Asked, str]:
        """One Deployment, rolled; the second text says what did not come in time."""
        target = Service(self.lab, name, self.port).target(stage.step.place, stage.view)
        argv = ["sh", "-c", ASK, "sh", target.url("http", "/whoami")]
        client = background.start(stage.execute, stage.step.place, argv, "asked")
        known = {pod.name for pod in pods_of(stage, self.lab, name)}
        path = f"/apis/apps/v1/namespaces/{stage.view.namespace(self.lab)}/deployments/{name}"
        note = {"podpath/rolled": token(4, f"{stage.step.probe.id} {name}")}
        change = {"spec": {"template": {"metadata": {"annotations": note}}}}
        problem = ""
        try:
            with stage.patched(path, change, f"template of Deployment {name}"):
                _rolled_out(stage, path, name)
            _rolled_out(stage, path, name)
            complete(stage, self.lab, name)
            with suppress(Late):  # the rules of the client's node may be seconds behind: the judge looks
                told = f"a new Pod of {name} to answer"
                eventually(lambda: _enough(_lines(client.peek()), known), TIMEOUTS.follow, told)
        except Late as late:
            problem = str(late)
        finally:
            found = _lines(client.stop().stdout)
        bad = [int(match[1]) for match in found if int(match[1])]
        new = _new(found, known)
        return Asked(name, len(found), len(bad), tuple(sorted({*bad})), len(new)), problem


def _lines(printed: bytes) -> list[re.Match[str]]:
    """What the client has told, a match a connection."""
    lines = printed.decode(errors="replace").splitlines()
    return [match for match in map(_LINE.fullmatch, lines) if match]


def _enough(found: list[re.Match[str]], known: set[str]) -> bool:
    """Each connection that is lost takes seconds, in which nothing else is asked."""
    return len(found) >= LEAST and bool(_new(found, known))


def _new(found: list[re.Match[str]], known: set[str]) -> set[str]:
    """The Pods that answered and were not there before."""
    return {match[2] for match in found} - known - {""}


def _rolled_out(stage: Stage, path: str, name: str) -> None:
    """Returns once all Pods of a Deployment that are not leaving are of its newest template and ready.

    Raises Late.
    """

    def done() -> bool:
        now = stage.api.get(path)
        status, wanted = now.get("status", {}), now["spec"].get("replicas", 1)
        seen = status.get("observedGeneration", 0) >= now["metadata"].get("generation", 0)
        counts = {status.get(of, 0) for of in ("replicas", "updatedReplicas", "availableReplicas")}
        return seen and counts == {wanted}

    eventually(done, TIMEOUTS.successor, f"Deployment {name} to be rolled out")
