"""What a run collects besides the answers: every node's kernel, traces, and what changed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from scripts.checks.base import Step
from scripts.checks.verdict import Failure, Finding, inconclusive
from scripts.errors import PodpathError
from scripts.evidence import curl
from scripts.evidence.capture import capturing
from scripts.evidence.nodeview import Kernel, collect, commands
from scripts.evidence.ruletrace import Marked, Passage
from scripts.evidence.trace import Trace
from scripts.evidence.view import View
from scripts.runs import events
from scripts.suite.ask import Harvest, Session, ask
from scripts.suite.monitors import markers, monitoring
from scripts.suite.plan import Plan
from scripts.suite.tracing import places, trace_of, wirings
from scripts.transport.lists import listed


def kernels(session: Session, clients: Collection[str], name: str, rules_only: bool = False) -> Kernel:
    """The nodes' view now, with the connections that ``clients`` (IPs) opened."""
    begun = time.monotonic()
    agents, raw = session.view.agent_places(), session.teller.raw
    asked = commands(clients, rules_only, session.view.snapshot.families)
    kernel = collect(agents, asked, session.execute, session.threads, raw, name)
    kernel = kernel.without(session.view.silent)
    session.teller.tell(events.EvidenceCollected(name, time.monotonic() - begun))
    return kernel


def clients_of(steps: Iterable[Step], answers: Iterable[curl.Answer]) -> set[str]:
    """Every address from which these steps' connections can come: sources, proxies, links of a chain."""
    clients = {answer.local[0] for answer in answers if answer.connected}
    for step in steps:
        target = step.work.target
        clients |= step.work.clients
        clients |= {*target.ips} if target and target.proxy else set()
    return clients


def starts_of(steps: Sequence[Step], view: View) -> set[str]:
    """The addresses from which these steps will open connections, as far as that is known in advance."""
    world = view.outside
    of = {world.outside: world.outside_ip, world.near: world.near_ip} if world else {}
    places = {place for step in steps for place in step.places}
    return clients_of(steps, ()) | ({place.ip or of.get(place.container, "") for place in places} - {""})


@dataclass(frozen=True)
class Followed:
    """Traced requests hop by hop, by probe id, and the rules that any of their packets met."""

    traces: Mapping[str, Trace] = field(default_factory=dict)
    passages: tuple[Passage, ...] = ()


def openers_of(steps: Sequence[Step], view: View) -> Marked:
    """Whose SYNs are marked to follow these steps: their sources', proxies', nodes' and the gateway's."""
    gateway = {view.outside.gateway_ip, view.outside.gateway_outside_ip} if view.outside else set[str]()
    families = {step.probe.family for step in steps}
    nodes = {node.ip for family in families for node in view.by(family).snapshot.nodes}
    return Marked(openers=frozenset(starts_of(steps, view) | nodes | gateway))


def followed(session: Session, traced: Plan, harvest: Harvest, before: Kernel, rules: bool) -> Followed:
    """Asks while every node and the gateway capture; ``rules``: and while the nodes name the rules met."""
    if not traced.steps:
        return Followed()
    begun = time.monotonic()
    view, execute, threads, raw = session.view, session.execute, session.threads, session.teller.raw
    wiring = threads.submit(wirings, view, before, execute)
    marking = markers(view, gateway=True) if rules else {}
    marked = openers_of(traced.steps, view)
    with (
        monitoring(marking, execute, threads, raw, marked) as passages,
        capturing(places(view), execute, threads, raw) as captures,
    ):
        asking = time.monotonic()
        ask(traced, session, harvest)
        asked = time.monotonic() - asking
    wired = wiring.result()
    found = {
        step.probe.id: trace_of(step, view.by(step.probe.family), captures, wired) for step in traced.steps
    }
    session.teller.later(events.EvidenceCollected("traces", time.monotonic() - begun - asked))
    return Followed(found, tuple(passages))


def moved(session: Session, steps: Sequence[Step]) -> dict[str, Finding]:
    """By probe id, what changed under a step since the run began; nothing is reported if the API fails."""
    gone, found = _replaced(session), {}
    for step in steps:
        if step.work.table and _endpoints_changed(session, step, *step.work.table):
            why = f"the endpoints of {step.work.table[1]} changed during the probe"
            found[step.probe.id] = inconclusive(Failure.ENDPOINTS_CHANGED, why)
        for uid in _uids(session, step) & gone.keys():
            why = f"the Pod {gone[uid]} was replaced during the probe"
            found[step.probe.id] = inconclusive(Failure.POD_REPLACED, why)
    return found


def _replaced(session: Session) -> dict[str, str]:
    """The Pods of the run's start that are gone now, name by uid; none if the API fails."""
    try:
        there = {item["metadata"]["uid"] for item in listed(session.api.get, "/api/v1/pods")}
    except PodpathError:
        return {}
    return {pod.uid: pod.name for pod in session.view.snapshot.pods if pod.uid not in there}


def _endpoints_changed(session: Session, step: Step, lab: str, service: str) -> bool:
    """Whether the endpoints with which a Service's table is compared have changed."""
    view = session.view.by(step.probe.family)
    before = view.snapshot.endpoints.get((view.namespace(lab), service), ())
    try:
        return session.stage(step, Kernel()).endpoints(lab, service) != before
    except PodpathError:
        return False


def _uids(session: Session, step: Step) -> set[str]:
    """The uid of every Pod that takes part in a step: its source, its target, and the Service's endpoints."""
    target, found = step.work.target, {place.uid for place in step.places}
    view = session.view.by(step.probe.family)
    if target and target.pod:
        found.add(target.pod.uid)
    if target and target.service:
        behind = {endpoint.ip for endpoint in view.endpoints(target.lab, target.service.name)}
        found |= {pod.uid for pod in view.snapshot.pods if pod.ip in behind}
    return found
