"""Runs probes: plan, one exec a source, the kernels' view, judgement. It knows no reporter.

Events are told from the calling thread only; what other threads have to tell passes through a queue.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial

from labs.model import Balancer, Get, Ingress, Probe
from scripts.errors import PodpathError
from scripts.evidence.agent import Kernel, collect
from scripts.probing import curl, events, judges_system, sections
from scripts.probing.cluster import Api
from scripts.probing.executor import CompletedExec, Executor, Place, PodExecError
from scripts.probing.judges import judge
from scripts.probing.observation import Observation, receipt_of
from scripts.probing.plan import Plan, Step, plan_of
from scripts.probing.scenario import is_scenario, play
from scripts.probing.verdict import Failure, Finding, Result, Verdict, combined, inconclusive
from scripts.probing.view import View
from scripts.waiting import TIMEOUTS

__all__ = ["judges_system", "run"]  # judges_system registers its judges by being imported
THREADS = 8


@dataclass
class Harvest:
    """What the execs of a run brought home, by nonce and by command key; a Finding says why nothing came."""

    answers: dict[str, curl.Answer | Finding] = field(default_factory=dict)
    outputs: dict[str, sections.Output | Finding] = field(default_factory=dict)


def run(
    probes: Sequence[tuple[str, Probe]],
    view: View,
    api: Api,
    execute: Executor,
    observers: Sequence[events.Observer] = (),
    id: str = "run",
) -> events.RunFinished:
    """Asks and judges ``probes`` (lab, probe); results come in their order."""
    return _Run(tuple(probes), view, api, execute, observers, id).all()


class _Run:
    def __init__(
        self,
        probes: tuple[tuple[str, Probe], ...],
        view: View,
        api: Api,
        execute: Executor,
        observers: Sequence[events.Observer],
        id: str,
    ) -> None:
        self.probes, self.view, self.api, self.execute, self.id = probes, view, api, execute, id
        self._observers = observers
        self._told: queue.SimpleQueue[events.Event] = queue.SimpleQueue()
        self._results: dict[str, Result] = {}

    def all(self) -> events.RunFinished:
        begun = time.monotonic()
        self._tell(events.RunStarted(self.id, self.view.stack, self.probes))
        plan = plan_of(self.probes, self.view)
        batch = Plan([step for step in plan.steps if not is_scenario(step.probe.ask)])
        with ThreadPoolExecutor(THREADS) as threads:
            harvest = self._ask(batch, threads)
            kernel = self._kernel(_clients(batch, harvest), threads)
        labs = {probe.id: (lab, probe) for lab, probe in self.probes}
        for id, finding in plan.settled.items():
            lab, probe = labs[id]
            self._keep(Result(id, probe.claim, lab, str(probe), finding))
        judged = {
            step.probe.id: self._judged(_observed(step, self.view, kernel, harvest)) for step in batch.steps
        }
        verdicts = {id: result.verdict for id, result in judged.items()}
        verdicts.update((id, finding.verdict) for id, finding in plan.settled.items())
        for step in batch.steps:
            self._keep(controlled(judged[step.probe.id], step.probe, verdicts))
        for step in plan.steps:
            if is_scenario(step.probe.ask):
                self._tell(events.ScenarioStarted(step.probe.id))
                seen = self._played(step)
                with ThreadPoolExecutor(THREADS) as threads:
                    seen = replace(seen, kernel=self._kernel({step.place.ip}, threads))
                self._keep(self._judged(seen))
        results = tuple(self._results[probe.id] for _, probe in self.probes)
        finished = events.RunFinished(self.id, self.view.stack, time.monotonic() - begun, results)
        self._tell(finished)
        return finished

    def _ask(self, plan: Plan, threads: ThreadPoolExecutor) -> Harvest:
        """Every source's requests and commands at once, an exec each."""
        harvest = Harvest()
        jobs: list[Callable[[], None]] = []
        for place, requests in plan.requests().items():
            jobs.append(partial(self._request, place, requests, harvest))
        for place, commands in plan.commands().items():
            jobs.append(partial(self._command, place, commands, harvest))
        waiting = {threads.submit(job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, timeout=0.05)
            self._flush()
            for future in done:
                future.result()
        self._flush()
        return harvest

    def _request(self, place: Place, requests: list[curl.Request], harvest: Harvest) -> None:
        done = self._exec(f"{place} curl", place, curl.argv(), len(requests), curl.render(requests))
        if isinstance(done, Finding):
            harvest.answers.update((request.nonce, done) for request in requests)
            return
        parsed = curl.parse(done.stdout, requests)
        if done.returncode and not any(isinstance(a, str) or a.exitcode for a in parsed.values()):
            said = f"curl ended with {done.returncode} although every transfer claims success"
            parsed = dict.fromkeys(parsed, said)
        for nonce, answer in parsed.items():
            if isinstance(answer, str):
                harvest.answers[nonce] = inconclusive(Failure.LOST_EXIT_CODE, answer)
            else:
                harvest.answers[nonce] = answer

    def _command(self, place: Place, commands: Mapping[str, Sequence[str]], harvest: Harvest) -> None:
        done = self._exec(f"{place} sh", place, sections.script(commands), len(commands))
        found = {} if isinstance(done, Finding) else sections.parse(done.stdout)
        for key in commands:
            lost = inconclusive(Failure.LOST_EXIT_CODE, "the command's output is incomplete")
            harvest.outputs[key] = done if isinstance(done, Finding) else found.get(key, lost)

    def _exec(
        self, name: str, place: Place, argv: Sequence[str], size: int, stdin: bytes = b""
    ) -> CompletedExec | Finding:
        """Runs ``argv``; a failure of the transport, or an end that nobody reported, is a Finding."""
        self._told.put(events.BatchStarted(name, size))
        begun = time.monotonic()
        try:
            done = self.execute(place, argv, stdin, TIMEOUTS.exec)
            self._raw(name, done)
            problem = "" if done.returncode is not None else "the exec ended without an exit code"
        except PodExecError as error:
            problem = str(error)
        self._told.put(events.BatchFinished(name, size, time.monotonic() - begun, problem))
        return inconclusive(Failure.TRANSPORT, problem) if problem else done

    def _kernel(self, clients: set[str], threads: ThreadPoolExecutor) -> Kernel:
        """The nodes' view of what ``clients`` (IPs) opened."""
        if not clients:
            return Kernel()
        kernel = collect(self.view.agents(), clients, self.execute, threads, self._raw)
        self._flush()
        return kernel

    def _played(self, step: Step) -> Observation:
        try:
            return play(step.probe.ask, step, self.view, self.api, self.execute, self._raw)
        except (PodExecError, PodpathError) as error:
            return Observation(step, self.view, lost=inconclusive(Failure.TRANSPORT, str(error)))
        finally:
            self._flush()

    def _judged(self, seen: Observation) -> Result:
        step = seen.step
        finding = seen.lost or combined(judge(expected, seen) for expected in step.probe.expect)
        receipt = receipt_of(seen)
        return Result(
            step.probe.id, step.probe.claim, step.lab, str(step.probe), finding, receipt, step.command
        )

    def _keep(self, result: Result) -> None:
        self._results[result.id] = result
        self._tell(events.ProbeJudged(result))

    def _raw(self, name: str, done: CompletedExec) -> None:
        self._told.put(events.RawOutput(name, done))

    def _flush(self) -> None:
        while not self._told.empty():
            self._tell(self._told.get())

    def _tell(self, event: events.Event) -> None:
        for observer in self._observers:
            observer(event)


def controlled(result: Result, probe: Probe, verdicts: Mapping[str, Verdict]) -> Result:
    """A negative probe that passed stays so only if its positive controls passed as well."""
    broken = [id for id in probe.controls if verdicts.get(id) is not Verdict.PASSED]
    if result.verdict is not Verdict.PASSED or not broken:
        return result
    state = verdicts.get(broken[0], "not in this run")
    why = f"its control {broken[0]} is {state}: that nothing answered proves nothing"
    return replace(result, finding=inconclusive(Failure.CONTROL_FAILED, why))


def _clients(plan: Plan, harvest: Harvest) -> set[str]:
    """Every address from which a connection of this plan can come: the sources, and proxies on the way."""
    answers = (answer for answer in harvest.answers.values() if isinstance(answer, curl.Answer))
    clients = {answer.local[0] for answer in answers if answer.connected}
    for step in plan.steps:
        target, ask = step.work.target, step.probe.ask
        if target and isinstance(ask, Get) and isinstance(ask.to, Balancer | Ingress):
            clients.update(target.ips)
    return clients


def _observed(step: Step, view: View, kernel: Kernel, harvest: Harvest) -> Observation:
    """What the harvest holds for a step; the first thing that cannot be believed makes it lost."""
    answers = [harvest.answers[request.nonce] for request in step.work.requests]
    outputs = {c.key.split("/", 1)[1]: harvest.outputs[c.key] for c in step.work.commands}
    lost = [item for item in (*answers, *outputs.values()) if isinstance(item, Finding)]
    return Observation(
        step,
        view,
        kernel,
        tuple(answer for answer in answers if isinstance(answer, curl.Answer)),
        {key: output for key, output in outputs.items() if isinstance(output, sections.Output)},
        lost=lost[0] if lost else None,
    )
