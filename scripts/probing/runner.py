"""Runs probes: plan, one exec a source, the kernels' view, judgement. It knows no reporter.

Events are told from the calling thread only; what other threads have to tell passes through a queue.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial

from labs.model import Balancer, Chain, Gateway, Ingress, Probe, Table
from scripts.errors import PodpathError
from scripts.evidence.agent import Kernel, collect
from scripts.evidence.capture import capturing
from scripts.evidence.trace import Trace
from scripts.probing import curl, events, sections
from scripts.probing.cluster import Api
from scripts.probing.executor import CompletedExec, Executor, Place, PodExecError
from scripts.probing.judges import judge
from scripts.probing.observation import Observation, receipt_of
from scripts.probing.places import agents
from scripts.probing.plan import Plan, Step, plan_of
from scripts.probing.scenarios import Stage, is_scenario, play, runs_alone
from scripts.probing.tracing import places, trace_of, wirings
from scripts.probing.verdict import Failure, Finding, Result, Verdict, combined, inconclusive
from scripts.probing.view import View
from scripts.waiting import TIMEOUTS

THREADS = 12


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
        self._before = Kernel()

    def all(self) -> events.RunFinished:
        begun = time.monotonic()
        self._tell(events.RunStarted(self.id, self.view.stack, self.probes))
        plan = plan_of(self.probes, self.view)
        with ThreadPoolExecutor(THREADS) as threads:
            wiring = any(step.work.traced for step in plan.steps)  # a trace names interfaces by it
            self._before = self._collect(set(), threads, "before", rules_only=not wiring)
            self._flush()
            judged = self._judge_batch(plan, threads)
        for lab, probe in self.probes:
            if finding := plan.settled.get(probe.id):
                judged[probe.id] = Result(
                    probe.id, probe.claim, lab, str(probe), finding, refutes=probe.instead
                )
        verdicts = {id: result.verdict for id, result in judged.items()}
        for _, probe in self.probes:
            if probe.id in judged:
                self._keep(controlled(judged[probe.id], probe, verdicts))
        self._scenarios([step for step in plan.steps if runs_alone(step.probe.ask)], verdicts)
        results = tuple(self._results[probe.id] for _, probe in self.probes)
        finished = events.RunFinished(self.id, self.view.stack, time.monotonic() - begun, results)
        self._tell(finished)
        return finished

    def _judge_batch(self, plan: Plan, threads: ThreadPoolExecutor) -> dict[str, Result]:
        """Everything that changes nothing: traced requests, then all others and the samples at once."""
        quiet = [step for step in plan.steps if not runs_alone(step.probe.ask)]
        traced = Plan([step for step in quiet if step.work.traced])
        batch = Plan([step for step in quiet if not step.work.traced and not is_scenario(step.probe.ask)])
        samples = [step for step in quiet if is_scenario(step.probe.ask)]
        harvest, traces = Harvest(), {}
        if traced.steps:
            traces = self._trace(traced, harvest, threads)
        sampling = {step.probe.id: threads.submit(self._played, step) for step in samples}
        self._ask(batch, harvest, threads)
        sampled = {id: future.result() for id, future in sampling.items()}
        self._flush()
        answers = [answer for answer in harvest.answers.values() if isinstance(answer, curl.Answer)]
        clients = _clients(quiet, answers, self.view) | {s.place.ip for s in samples if s.place.ip}
        moving = threads.submit(self._moved, quiet)
        kernel = self._collect(clients, threads, "kernel").since(self._before)
        self._flush()
        moved = moving.result()
        judged = {}
        for step in quiet:
            id = step.probe.id
            if id in sampled:
                seen = replace(sampled[id], kernel=kernel)
            else:
                seen = replace(_observed(step, self.view, kernel, harvest), trace=traces.get(id))
            judged[id] = self._judged(replace(seen, lost=moved.get(id, seen.lost)))
        return judged

    def _scenarios(self, steps: Sequence[Step], verdicts: dict[str, Verdict]) -> None:
        """What changes the cluster: one after the other in a lab, and the labs, which share nothing, at once.

        The lab with most of them is played in the calling thread, so that an interrupt restores at once
        what its scenario has changed; the other labs' scenarios then end in their own way. The kernels are
        asked about all their connections when the last one has ended, so that this disturbs none of them.
        """
        if not steps:
            return
        labs: dict[str, list[Step]] = {}
        for step in steps:
            labs.setdefault(step.lab, []).append(step)
        longest = max(labs.values(), key=len)
        seen: dict[str, Observation] = {}
        ended = threading.Event()

        def played(lab: Sequence[Step], tell: events.Observer) -> None:
            for step in lab:
                if not ended.is_set():
                    tell(events.ScenarioStarted(step.probe.id))
                    seen[step.probe.id] = self._played(step)

        def told_here(event: events.Event) -> None:
            self._told.put(event)
            self._flush()

        with ThreadPoolExecutor(THREADS) as threads:
            beside = [
                threads.submit(played, lab, self._told.put) for lab in labs.values() if lab is not longest
            ]
            try:
                played(longest, told_here)
                for future in beside:
                    future.result()
            finally:
                ended.set()
            answers = [answer for one in seen.values() for answer in one.answers]
            kernel = self._collect(_clients(steps, answers, self.view), threads, "scenarios")
        self._flush()
        for step in steps:
            judged = self._judged(replace(seen[step.probe.id], kernel=kernel))
            result = controlled(judged, step.probe, verdicts)
            verdicts[step.probe.id] = result.verdict
            self._keep(result)

    def _trace(self, traced: Plan, harvest: Harvest, threads: ThreadPoolExecutor) -> dict[str, Trace]:
        """Asks while every node and the gateway capture; by probe id, each request hop by hop."""
        begun = time.monotonic()
        wired = wirings(self.view, self._before, self.execute)
        with capturing(places(self.view), self.execute, threads, self._raw) as captures:
            asking = time.monotonic()
            self._ask(traced, harvest, threads)
            asked = time.monotonic() - asking
        traces = {step.probe.id: trace_of(step, self.view, captures, wired) for step in traced.steps}
        self._told.put(events.EvidenceCollected("traces", time.monotonic() - begun - asked))
        return traces

    def _moved(self, steps: Sequence[Step]) -> dict[str, Finding]:
        """By probe id, what changed under a step since the run began; an API that fails tells of nothing."""
        gone, found = self._replaced(), {}
        for step in steps:
            if isinstance(step.probe.ask, Table) and self._endpoints_changed(step, step.probe.ask):
                why = f"the endpoints of {step.probe.ask.service} changed while it was asked"
                found[step.probe.id] = inconclusive(Failure.ENDPOINTS_CHANGED, why)
            for uid in _uids(step, self.view) & gone.keys():
                why = f"the Pod {gone[uid]} was replaced while it was asked"
                found[step.probe.id] = inconclusive(Failure.POD_REPLACED, why)
        return found

    def _replaced(self) -> dict[str, str]:
        """The Pods of the run's start that are gone now, name by uid; an API that fails tells of none."""
        try:
            there = {item["metadata"]["uid"] for item in self.api.get("/api/v1/pods")["items"]}
        except PodpathError:
            return {}
        return {pod.uid: pod.name for pod in self.view.snapshot.pods if pod.uid not in there}

    def _endpoints_changed(self, step: Step, ask: Table) -> bool:
        """Whether the endpoints changed against which a Service's table is held."""
        before = self.view.snapshot.endpoints.get((self.view.namespace(ask.lab), ask.service), ())
        try:
            return self._stage(step).endpoints(ask.lab, ask.service) != before
        except PodpathError:
            return False

    def _ask(self, plan: Plan, harvest: Harvest, threads: ThreadPoolExecutor) -> None:
        """Every source's requests and commands at once, an exec each."""
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

    def _collect(
        self, clients: set[str], threads: ThreadPoolExecutor, name: str, rules_only: bool = False
    ) -> Kernel:
        """The nodes' view now, with the connections that ``clients`` (IPs) opened."""
        begun = time.monotonic()
        kernel = collect(agents(self.view), clients, self.execute, threads, self._raw, name, rules_only)
        self._told.put(events.EvidenceCollected(name, time.monotonic() - begun))
        return kernel

    def _played(self, step: Step) -> Observation:
        """What a scenario saw."""
        try:
            return play(step.probe.ask, self._stage(step))
        except (PodExecError, PodpathError) as error:
            return Observation(step, self.view, lost=inconclusive(Failure.TRANSPORT, str(error)))

    def _stage(self, step: Step) -> Stage:
        return Stage(step, self.view, self.api, self.execute, self._raw, self._before)

    def _judged(self, seen: Observation) -> Result:
        step = seen.step
        finding = seen.lost or combined(judge(expected, seen) for expected in step.probe.expect)
        receipt = receipt_of(seen)
        probe = step.probe
        return Result(
            probe.id, probe.claim, step.lab, str(probe), finding, receipt, step.command, probe.instead
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


def _clients(steps: Sequence[Step], answers: Sequence[curl.Answer], view: View) -> set[str]:
    """Every address from which a connection of these can come: the sources, and proxies on the way."""
    clients = {answer.local[0] for answer in answers if answer.connected}
    for step in steps:
        target, ask = step.work.target, step.probe.ask
        clients |= _proxies(step)
        if isinstance(ask, Chain) and target:
            clients.update(
                pod.ip for pod in view.snapshot.pods if pod.namespace == view.namespace(target.lab)
            )
    return clients


def _proxies(step: Step) -> set[str]:
    """The addresses of the load balancer that opens connections of its own for this step."""
    to = getattr(step.probe.ask, "to", None)
    return (
        {*step.work.target.ips}
        if step.work.target and isinstance(to, Balancer | Ingress | Gateway)
        else set()
    )


def _uids(step: Step, view: View) -> set[str]:
    """Of every Pod that has a part in a step: its source, its target, and who is behind the Service asked."""
    target, found = step.work.target, {step.place.uid}
    if target and target.pod:
        found.add(target.pod.uid)
    if target and target.service:
        behind = {endpoint.ip for endpoint in view.endpoints(target.lab, target.service.name)}
        found |= {pod.uid for pod in view.snapshot.pods if pod.ip in behind}
    return found


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
