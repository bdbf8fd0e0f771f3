"""How fast a NetworkPolicy that changes is enforced, on each node: opened, and closed again (claim K8).

An engine hears of a change from the API server and writes rules on each node, which takes its time: until
then the old policy holds. A client asks a Pod on each node all the while, over a connection of its own each
time. Nothing is asked again to be green: what came back is told as it came. Where no engine runs, or one that
may enforce nothing lets the client in although the policy is closed, nobody would follow: nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.delays import impossible, millis
from scripts.checks.verdict import Failure, Finding, failed, passed, skipped
from scripts.evidence.policyengine import engine, engines
from scripts.evidence.view import NotHere, View
from scripts.transport import background
from scripts.transport.executor import Place
from scripts.waiting import TIMEOUTS, Late, clock, eventually

ASK = """\
while :; do
    begun=$(date +%s%N)
    curl -q -s --noproxy '*' -o /dev/null --max-time 0.5 "$1"
    echo "$begun exit $?"
    sleep 0.01
done
"""
"""Prints "<begun> exit <curl's exit code>" for one connection after the other."""
IN_A_ROW = 20
"""Attempts with the same outcome after which a node is taken to have followed; one that then still differs is
told."""
OPEN: Mapping[str, Any] = {"spec": {"ingress": [{}]}}
"""Lets everybody in (NetworkPolicySpec: an empty rule)."""
_LINE = re.compile(r"^(\d+) exit (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """One change on one node, in milliseconds since the API was asked for it.

    ``after_ms``: the first attempt from which on all had the new outcome began so late; ``astray`` had it
    earlier, before the old one came once more.
    """

    after_ms: float
    astray: int = 0


@dataclass(frozen=True)
class Followed:
    """Both changes by node; ``problem`` says what did not come in time."""

    opened: Mapping[str, Change] = field(default_factory=dict)
    closed: Mapping[str, Change] = field(default_factory=dict)
    attempts: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Enforced(Scenario):
    """Opens a NetworkPolicy and closes it again, while a client that it denies asks a Pod on each node."""

    lab: str
    policy: str
    workload: str
    port: int = 80

    def __str__(self) -> str:
        return f"{self.workload} on each node while NetworkPolicy {self.policy} opens and closes"

    @property
    def expected(self) -> str:
        """Both changes are followed; the delays are told."""
        return "every node follows, and the time to enforce is told"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario; none is replayed, for afterwards they are to be denied."""
        view.pods(self.lab, self.workload)
        if not engine(view):
            raise NotHere("no Pod of a NetworkPolicy engine runs here: nobody would follow a change")
        return Work()

    def play(self, stage: Stage) -> Observation:
        """Asks while the policy is open, and after it is as it was."""
        namespace = stage.view.namespace(self.lab)
        path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies/{self.policy}"
        targets = {pod.node: pod.ip for pod in reversed(stage.view.pods(self.lab, self.workload))}
        with ThreadPoolExecutor(len(targets)) as threads:

            def ask(ip: str) -> background.Background:
                argv = ["sh", "-c", ASK, "sh", f"http://{ip}:{self.port}/whoami"]
                return background.start(stage.execute, stage.step.place, argv, "exit")

            asking = dict(zip(targets, threads.map(ask, targets.values()), strict=True))

            def wait(answered: bool, since: int) -> None:
                for node, one in asking.items():
                    what = f"the Pod on {node} to {'answer' if answered else 'be closed'}"
                    settled = partial(_settled, one, answered, since)
                    eventually(settled, TIMEOUTS.follow, what)

            problem, opened, closed = "", 0, 0
            try:
                if not any(one.sure for one in engines(stage.view)) and all(
                    _told_by(one)[0][1] for one in asking.values()
                ):
                    return Observation(stage.step, stage.view)
                with stage.patched(path, OPEN, f"rules of NetworkPolicy {self.policy}") as opened:
                    wait(True, opened)
                    closed = clock().wall("the policy closes")
                wait(False, closed)
            except Late as late:
                problem = str(late)
            finally:
                stopped = [*threads.map(lambda one: one.stop(), asking.values())]
        told = {node: _attempts(done.stdout) for node, done in zip(asking, stopped, strict=True)}
        facts = Followed(problem=problem)
        if not problem:
            facts = Followed(
                {node: change(within(all_, opened, closed), True, opened) for node, all_ in told.items()},
                {node: change(within(all_, closed), False, closed) for node, all_ in told.items()},
                sum(map(len, told.values())),
            )
        return Observation(stage.step, stage.view, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """A delay that is impossible shows that a clock jumped."""
        facts: Followed | None = seen.facts
        who = engine(seen.view)
        if facts is None:
            return skipped(
                f"{who} lets the client in although the policy is closed: nobody would follow a change"
            )
        if facts.problem:
            return failed(Failure.NOT_FOLLOWED, f"{who}: {facts.problem}")
        if seen.view.clocks:
            return passed(f"{who} followed both changes; no delay is told: {seen.view.clocks}")
        every = [one.after_ms for one in (*facts.opened.values(), *facts.closed.values())]
        if jumped := impossible(every, TIMEOUTS.follow):
            return jumped
        return passed(
            f"{who} let the client in {_told(facts.opened)} and denied it {_told(facts.closed)} "
            f"({facts.attempts} connections)"
        )


Attempts = Sequence[tuple[int, bool]]
"""When each attempt began, in nanoseconds since 1970, and whether it was answered."""


def within(attempts: Attempts, since: int, until: int | None = None) -> Attempts:
    """Those that began in a time."""
    return [one for one in attempts if one[0] >= since and (until is None or one[0] < until)]


def change(attempts: Attempts, answered: bool, since: int) -> Change:
    """When the outcome became the new one, for good; not before the last attempt if that had the old one."""
    last_old = max((n for n, one in enumerate(attempts) if one[1] is not answered), default=-1)
    begun, _ = attempts[min(last_old + 1, len(attempts) - 1)]
    astray = sum(one[1] is answered for one in attempts[: last_old + 1])
    return Change(millis(begun, since), astray)


def _attempts(printed: bytes) -> Attempts:
    lines = _LINE.findall(printed.decode(errors="replace"))
    return [(int(begun), code == "0") for begun, code in lines]


def _told_by(asking: background.Background) -> Attempts:
    return _attempts(asking.peek())


def _settled(asking: background.Background, answered: bool, since: int) -> bool:
    """Whether the newest attempts since a change all had its outcome."""
    newest = within(_told_by(asking), since)[-IN_A_ROW:]
    return len(newest) == IN_A_ROW and all(one[1] is answered for one in newest)


def _told(changes: Mapping[str, Change]) -> str:
    words = [
        f"after {one.after_ms:.0f} ms on {node}"
        + (f" ({one.astray} times before that, in between)" if one.astray else "")
        for node, one in sorted(changes.items())
    ]
    return ", ".join(words)
