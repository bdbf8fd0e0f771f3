"""The execs of a run: at each place one for its requests (``MOST`` at a time), and one for all commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial

from scripts.checks.base import Journal, Observation, Stage, Step, Unkept
from scripts.checks.undo import Api
from scripts.checks.verdict import Failure, Finding, inconclusive
from scripts.evidence import curl
from scripts.evidence.nodeview import Kernel
from scripts.evidence.view import View
from scripts.runs import events
from scripts.suite.plan import Plan, key_of
from scripts.suite.pulse import NodeSilent
from scripts.suite.telling import Teller
from scripts.transport import frames
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError
from scripts.waiting import TIMEOUTS

LONGEST = 30.0
"""Seconds for an exec, beside ten milliseconds for each of its parts, of which none takes more than 20 s."""
MOST = 5000
"""Requests of one exec: what it prints (9 MiB) and how long it takes stay within an exec's limits."""


@dataclass(frozen=True)
class Session:
    """What the steps of a run work with: the cluster as it was at the start, and the means to reach it."""

    view: View
    api: Api
    execute: Executor
    teller: Teller
    threads: ThreadPoolExecutor
    journal: Journal = field(default_factory=Unkept)
    drops: Mapping[str, Place] = field(default_factory=dict)
    """Where the kernel's drop reasons are asked for when reds are replayed; nowhere if that is off."""

    def stage(self, step: Step, before: Kernel) -> Stage:
        """What a scenario plays on."""
        view = self.view.by(step.probe.family)
        return Stage(step, view, self.api, self.execute, self.teller.raw, before, self.journal)


@dataclass
class Harvest:
    """The results of a run's execs, by nonce and by command key; a Finding says why there is none."""

    answers: dict[str, curl.Answer | Finding] = field(default_factory=dict)
    outputs: dict[str, frames.Output | Finding] = field(default_factory=dict)

    def believed(self) -> list[curl.Answer]:
        """The answers that are credible."""
        return [answer for answer in self.answers.values() if isinstance(answer, curl.Answer)]

    def observation(self, step: Step, view: View, kernel: Kernel) -> Observation:
        """The results for a step; the first one that is not credible makes it lost."""
        answers = [self.answers[request.nonce] for _, request in step.sent]
        outputs = {c.key: self.outputs[key_of(step, c.key)] for c in step.work.commands}
        lost = [item for item in (*answers, *outputs.values()) if isinstance(item, Finding)]
        seen = Observation(step, view.by(step.probe.family), kernel, lost=lost[0] if lost else None)
        return replace(
            seen,
            answers=tuple(answer for answer in answers if isinstance(answer, curl.Answer)),
            outputs={key: output for key, output in outputs.items() if isinstance(output, frames.Output)},
        )


def ask(plan: Plan, session: Session, harvest: Harvest) -> None:
    """Runs every place's requests and commands at once, an exec each; the results go into ``harvest``.

    Of very many requests at one place, ``MOST`` are sent by one exec after the other.
    """
    jobs: list[Callable[[], None]] = []
    for place, requests in plan.requests().items():
        jobs.append(partial(_requests, session, place, requests, harvest))
    for place, commands in plan.commands().items():
        jobs.append(partial(_command, session, place, commands, harvest))
    waiting = {session.threads.submit(job) for job in jobs}
    while waiting:
        done, waiting = wait(waiting, timeout=0.05)
        session.teller.flush()
        for future in done:
            future.result()
    session.teller.flush()


def _requests(session: Session, place: Place, requests: Sequence[curl.Request], harvest: Harvest) -> None:
    for n, part in enumerate(parts(requests), 1):
        _sent(session, f"{place} curl{f' {n}' if n > 1 else ''}", place, part, harvest)


def parts(requests: Sequence[curl.Request]) -> list[Sequence[curl.Request]]:
    """The requests in parts of which each is sent by one exec."""
    return [requests[first : first + MOST] for first in range(0, len(requests), MOST)]


def _sent(
    session: Session, name: str, place: Place, requests: Sequence[curl.Request], harvest: Harvest
) -> None:
    done = _exec(session, name, place, curl.argv(), len(requests), curl.render(requests))
    if isinstance(done, Finding):
        harvest.answers.update((request.nonce, done) for request in requests)
        return
    parsed = curl.parse(done.stdout, requests)
    if done.returncode and not any(isinstance(a, str) or a.exitcode for a in parsed.values()):
        said = f"curl exited with {done.returncode} although every transfer claims success"
        parsed = dict.fromkeys(parsed, said)
    for nonce, answer in parsed.items():
        if isinstance(answer, str):
            harvest.answers[nonce] = inconclusive(Failure.LOST_EXIT_CODE, answer)
        else:
            harvest.answers[nonce] = answer


def _command(
    session: Session, place: Place, commands: Mapping[str, tuple[str, ...]], harvest: Harvest
) -> None:
    script = frames.Script(commands, at_once=len(commands) > 1)
    done = _exec(session, f"{place} sh", place, script.argv(), len(commands))
    if isinstance(done, Finding):
        harvest.outputs.update(dict.fromkeys(commands, done))
        return
    outputs = script.parse(done.stdout)
    for key in commands:
        lost = inconclusive(Failure.LOST_EXIT_CODE, "the command's output is incomplete")
        harvest.outputs[key] = outputs.get(key, lost)


def _exec(
    session: Session, name: str, place: Place, argv: Sequence[str], size: int, stdin: bytes = b""
) -> CompletedExec | Finding:
    """The exec's result; a Finding if its transport failed or nobody reported how it ended."""
    tell, begun, kind = session.teller.later, time.monotonic(), Failure.TRANSPORT
    tell(events.BatchStarted(name, size))
    try:
        done = session.execute(place, argv, stdin, min(TIMEOUTS.exec, LONGEST + size / 100))
        session.teller.raw(name, done)
        problem = ""
    except PodExecError as error:
        problem = str(error)
        kind = Failure.NODE_DOWN if isinstance(error, NodeSilent) else kind
    tell(events.BatchFinished(name, size, time.monotonic() - begun, problem))
    return inconclusive(kind, problem) if problem else done
