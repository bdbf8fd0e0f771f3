"""Runs probes: plan, ask, collect, judge. Each step is a module; this one calls them in order."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from scripts.checks.base import Journal, Observation, Probe, Scenario, Step, Unkept, runs_alone
from scripts.checks.undo import Api
from scripts.evidence.nodeview import Kernel
from scripts.evidence.view import View
from scripts.runs import events
from scripts.runs.document import ProbeRecord, UnjudgedRecord
from scripts.runs.events import Phase, PhaseStarted
from scripts.suite.against import found_in, record_of
from scripts.suite.ask import Harvest, Session, ask
from scripts.suite.causes import RED, causes_of
from scripts.suite.collect import clients_of, followed, kernels, moved, starts_of
from scripts.suite.gather import Gathering
from scripts.suite.judge import controlled, judged, unasked
from scripts.suite.plan import Plan, plan_of
from scripts.suite.scenarios import play_all, played
from scripts.suite.silence import PULSE, left_open, nobody
from scripts.suite.telling import Teller
from scripts.transport.executor import Conclusive, Executor, Place

THREADS = 16


def run(
    probes: Sequence[tuple[str, Probe]],
    view: View,
    api: Api,
    execute: Executor,
    observers: Sequence[events.Observer] = (),
    id: str = "run",
    journal: Journal | None = None,
    pulse: PULSE = nobody,
    explain: bool = True,
    drops: Mapping[str, Place] | None = None,
) -> list[ProbeRecord]:
    """Asks and judges ``probes`` (lab, probe); returns their records in the same order.

    ``journal`` keeps what scenarios change until it is undone, also when the run is killed. ``pulse`` asks
    which nodes do not answer, once something is red. ``explain``: the nodes name the rules that traced
    requests meet, and if any is red, all reds are asked once more and their causes are looked for; the
    kernels at ``drops`` (by node) then say why they drop packets.
    """
    begun, teller = time.monotonic(), Teller(observers)
    wanted = tuple(
        UnjudgedRecord(id=probe.id, claim=probe.claim, lab=lab, sentence=str(probe)) for lab, probe in probes
    )
    teller.tell(events.RunStarted(id, view.stack, wanted, record_of(view)))
    plan = plan_of(probes, view)
    with ThreadPoolExecutor(THREADS) as threads:
        session = Session(view, api, Conclusive(execute), teller, threads, journal or Unkept(), drops or {})
        together = [step for step in plan.steps if not runs_alone(step.probe.check)]
        teller.tell(PhaseStarted(Phase.ASKING, time.monotonic() - begun, len(together)))
        wiring = any(step.work.traced for step in plan.steps)  # a trace names interfaces by it
        before = kernels(session, (), "before", rules_only=not wiring)
        seen, after = _batch(session, together, before, rules=explain)
        observed = {one.step.probe.id: one for one in seen}
        results = {probe.id: unasked(lab, probe, plan) for lab, probe in probes if probe.id in plan.settled}
        results |= {one.step.probe.id: judged(one) for one in seen}
        doubtful, now_seen = left_open(results, plan.steps, view, pulse)
        results |= doubtful
        asked = [probe for _, probe in probes if probe.id in results]
        results = {probe.id: controlled(results[probe.id], probe, results) for probe in asked}
        for result in results.values():
            teller.tell(events.ProbeJudged(result))
        alone = [step for step in plan.steps if runs_alone(step.probe.check)]
        again = plan_of([(step.lab, step.probe) for step in alone], now_seen)
        session = replace(session, view=now_seen)
        if alone:
            teller.tell(PhaseStarted(Phase.CHANGING, time.monotonic() - begun, len(alone)))
        seen, resting = play_all(session, again.steps, before, results)
        fresh = {one.step.probe.id: judged(one) for one in seen}
        fresh |= left_open(fresh, again.steps, now_seen, pulse)[0]
        down = [unasked(one.lab, one.probe, again) for one in alone if one.probe.id in again.settled]
        for result in [*fresh.values(), *resting, *down]:
            probe = next(step.probe for step in alone if step.probe.id == result.id)
            results[result.id] = controlled(result, probe, results)
            teller.tell(events.ProbeJudged(results[result.id]))
        if explain and (reds := sum(one.verdict in RED for one in results.values())):
            teller.tell(PhaseStarted(Phase.REPLAYING, time.monotonic() - begun, reds))
            steps = {step.probe.id: step for step in plan.steps}
            red = [one for id, one in observed.items() if results[id].verdict in RED]
            steps |= {one.step.probe.id: one.step.probe.check.example(one) for one in red if not one.lost}
            teller.tell(causes_of(session, probes, steps, results, after, begun))
    teller.tell(events.RunFinished(time.monotonic() - begun))
    return [results[probe.id] for _, probe in probes]


def _batch(
    session: Session, steps: Sequence[Step], before: Kernel, rules: bool
) -> tuple[list[Observation], Kernel]:
    """What changes nothing: traced requests, then the others and the samples at once, then the kernels.

    ``rules``: the nodes name those that traced requests meet.
    """
    samples = [step for step in steps if isinstance(step.probe.check, Scenario)]
    others = [step for step in steps if not isinstance(step.probe.check, Scenario)]
    harvest = Harvest()
    with Gathering(session.view, session.execute, starts_of(steps, session.view)) as gathering:
        tracing = Plan([step for step in others if step.work.traced])
        traced = followed(session, tracing, harvest, before, rules)
        sampling = [session.threads.submit(played, session, step, before) for step in samples]
        ask(Plan([step for step in others if not step.work.traced]), session, harvest)
        sampled = [future.result() for future in sampling]
    clients = clients_of(steps, harvest.believed()) | {step.place.ip for step in samples if step.place.ip}
    moving = session.threads.submit(moved, session, steps)
    kernel = gathering.joined(kernels(session, clients, "kernel")).since(before)
    session.teller.tell(events.FeaturesFound(found_in(session.view, kernel)))
    found = [replace(one, kernel=kernel) for one in sampled]
    for step in others:
        seen = harvest.observation(step, session.view, kernel)
        trace = traced.traces.get(step.probe.id)
        found.append(replace(seen, trace=trace, passages=traced.passages if trace else ()))
    changed = moving.result()
    return [replace(one, lost=changed.get(one.step.probe.id, one.lost)) for one in found], kernel
