"""Finds the causes of a run's reds: asks them once more under the microscope, and lets every cause look."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts import causes
from scripts.causes.cover import ordered
from scripts.causes.scene import DERIVED, Cause, Red, Scene, Try
from scripts.checks.base import Probe, Step
from scripts.checks.verdict import Failure, Verdict
from scripts.ends import family_of, ip_of
from scripts.errors import PodpathError
from scripts.evidence.capture import LEFT_OUT
from scripts.evidence.directory import Directory, directory_of
from scripts.evidence.dropreasons import Dropped, of_trace
from scripts.evidence.lasthop import last_seen
from scripts.evidence.nodeview import Kernel
from scripts.evidence.udpask import Echo
from scripts.runs import events
from scripts.runs.document import CauseRecord, DropRecord, ProbeRecord, ReplayRecord
from scripts.suite.ask import Session
from scripts.suite.hoprules import rule_record, with_rules
from scripts.suite.receipt import trace_record
from scripts.suite.replay import Replayed, askers, replay
from scripts.transport.lists import listed

UNANSWERED = (Failure.TIMED_OUT, Failure.NO_ANSWER, Failure.REFUSED, Failure.BROKEN_CHAIN)
"""Failures of which a request that is answered when it is sent again says that the first one was lost."""
RED = (Verdict.FAILED, Verdict.INCONCLUSIVE)
BESIDE = ("__init__", "commands", "cover", "scene", "told")
NOT_SEEN = "no kernel is looked at ({}), so nobody saw its packets"
NOT_CAPTURED = "packets to port {} are not captured: it carries the cluster's own traffic"
KINDS = sorted(path.stem for path in Path(causes.__path__[0]).glob("*.py") if path.stem not in BESIDE)


def causes_of(
    session: Session,
    probes: Sequence[tuple[str, Probe]],
    steps: Mapping[str, Step],
    records: Mapping[str, ProbeRecord],
    kernel: Kernel,
    run_begun: float,
) -> events.CausesFound:
    """What is broken, as far as it can be shown; a mistake of ours in looking for it ends no run.

    ``run_begun`` is when the run began, by the monotonic clock.
    """
    begun = time.monotonic()
    red = [records[probe.id] for _, probe in probes if records[probe.id].verdict in RED]
    try:
        return _found(session, probes, steps, red, kernel, begun, run_begun)
    except Exception as error:
        what = "the causes could not be looked for: this is a bug in podpath, please report it"
        failed = CauseRecord(kind="unknown", what=what, evidence=[repr(error)], warning=True)
        return events.CausesFound((failed,), {}, time.monotonic() - begun)


def _found(
    session: Session,
    probes: Sequence[tuple[str, Probe]],
    steps: Mapping[str, Step],
    red: Sequence[ProbeRecord],
    kernel: Kernel,
    begun: float,
    run_begun: float,
) -> events.CausesFound:
    roots = [one for one in red if one.failure not in DERIVED]
    replayed = replay(session, [(steps[one.id], one) for one in roots if one.id in steps], kernel)
    explaining = events.PhaseStarted(events.Phase.EXPLAINING, time.monotonic() - run_begun, len(roots))
    session.teller.tell(explaining)
    known = {probe.id: probe for _, probe in probes}
    by: dict[int, list[ProbeRecord]] = {}
    for one in red:
        by.setdefault(_family(one, known), []).append(one)
    scenes = [scene_of(session, known, steps, own, replayed, kernel, family) for family, own in by.items()]
    reds = [one for scene in scenes for one in scene.reds]
    found = [cause for scene in scenes for cause in found_in(roots_of(scene))]
    first, rest = ordered(found, reds)
    told = [*(record(cause) for cause in first), *(record(cause, warning=True) for cause in rest)]
    rules = {node: seen.rules for node, seen in kernel.nodes.items()}

    def retold(red: Red, scene: Scene, names: Directory) -> ReplayRecord:
        one = (red.failing or list(red.tries))[0]
        trace = trace_record(one.trace, names.met(one.trace.hops)) if one.trace.hops else None
        trace = with_rules(trace, one.passages, rules) if trace else None
        ended = [rule_record(rule, decided=True) for _, rule in one.ends]
        blind = session.view.blind
        last = NOT_SEEN.format(blind) if blind else _last(one, red, scene)
        passes = not red.failing and red.failure in UNANSWERED
        dropped = _dropped(of_trace(replayed.dropped, one.trace))
        return ReplayRecord(passes=passes, last=last, ended=ended, trace=trace, dropped=dropped)

    replays: dict[str, ReplayRecord] = {}
    for scene in scenes:
        names = directory_of(scene.view, replayed.wired)
        replays |= {red.id: retold(red, scene, names) for red in scene.reds if red.tries}
    told = [_with_reasons(cause, replays) for cause in told]
    return events.CausesFound(tuple(told), replays, time.monotonic() - begun)


def _dropped(found: Iterable[Dropped]) -> list[DropRecord]:
    """The kernel's reasons as a run's document has them: one record each, most packets first."""
    sums = Counter[tuple[str, str]]()
    for one in found:
        sums[one.reason, one.function] += one.packets
    return [DropRecord(reason=reason, function=of, packets=n) for (reason, of), n in sums.most_common()]


def _with_reasons(cause: CauseRecord, replays: Mapping[str, ReplayRecord]) -> CauseRecord:
    """A cause with what the kernels said of the packets of the reds that it explains, where they did."""
    seen = {
        (one.reason, one.function) for id in cause.explains if id in replays for one in replays[id].dropped
    }
    if not seen:
        return cause
    words = ", ".join(f"{reason} in {function}" for reason, function in sorted(seen))
    return cause.model_copy(update={"evidence": [*cause.evidence, f"the kernel's reason to drop: {words}"]})


def _last(one: Try, red: Red, scene: Scene) -> str:
    """Where a request or its answer was last seen: a datagram by the rules that it met."""
    if red.target and red.target.port in LEFT_OUT and not one.trace.hops:
        return NOT_CAPTURED.format(red.target.port)
    if not isinstance(one.answer, Echo):
        return last_seen(one.trace, scene.owner, scene.node_of, one.connected)
    if not one.passages:
        return "no rule of a node met the datagram"
    met = one.passages[-1]
    return f"the datagram was last seen in {met.table}/{met.chain} of {met.node}, to {met.destination}"


def roots_of(scene: Scene) -> Scene:
    """The scene without the reds that are red only because others are."""
    return replace(scene, reds=tuple(red for red in scene.reds if not red.derived))


def found_in(scene: Scene) -> list[Cause]:
    """What each kind of cause finds, in the order of their names."""
    return [cause for kind in KINDS for cause in import_module(f"scripts.causes.{kind}").find(scene)]


def scene_of(
    session: Session,
    probes: Mapping[str, Probe],
    steps: Mapping[str, Step],
    red: Iterable[ProbeRecord],
    replayed: Replayed,
    kernel: Kernel,
    family: int = 0,
) -> Scene:
    """Everything that is known of the reds by one family of addresses, 0 for the cluster's own first."""
    red, view = list(red), session.view.by(family)
    family = view.snapshot.family
    ids = {one.id for one in red}

    def of(one: ProbeRecord) -> Red:
        step, probe = steps.get(one.id), probes[one.id]
        return Red(
            id=one.id,
            claim=one.claim,
            lab=one.lab,
            verdict=one.verdict,
            failure=one.failure,
            why=one.why or "",
            leans_on=tuple(id for id in (*probe.rests_on, *probe.controls) if id in ids),
            place=step.place if step else None,
            target=step.work.target if step else None,
            path=urlsplit(step.work.requests[0].url).path if step and step.work.requests else "/",
            tries=replayed.tries.get(one.id, ()),
            askers=askers(step, one, view.snapshot) if step else frozenset(),
        )

    return Scene(
        view,
        tuple(map(of, red)),
        replayed.before.get(family, {}),
        replayed.after.get(family, {}),
        kernel,
        tuple(_by(family, pod) for pod in _listed(session, "/api/v1/pods")),
        _listed(session, "/apis/networking.k8s.io/v1/networkpolicies"),
        replayed.lookups,
        tuple(one for one in replayed.passages if family_of(ip_of(one.source)) == family),
        replayed.sizes,
        _listed(session, "/apis/networking.k8s.io/v1/ingresses"),
        _listed(session, "/apis/gateway.networking.k8s.io/v1/httproutes"),
        _listed(session, "/api/v1/services"),
    )


def _family(red: ProbeRecord, probes: Mapping[str, Probe]) -> int:
    """By which addresses a red's cause is looked for: the DNS is asked by the cluster's first."""
    return 0 if red.failure in (Failure.NO_DNS, Failure.NAME_UNKNOWN) else probes[red.id].family


def _by(family: int, pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Pod's JSON with its address of a family as the first one."""
    status = pod.get("status") or {}
    ips = [one.get("ip", "") for one in status.get("podIPs") or ()]
    first = next((ip for ip in ips if family_of(ip) == family), "")
    return {**pod, "status": {**status, "podIP": first}} if ips else pod


def record(cause: Cause, warning: bool = False) -> CauseRecord:
    """A cause as a run's document has it."""
    return CauseRecord(
        kind=cause.kind,
        what=cause.what,
        node=cause.node,
        evidence=[*cause.evidence],
        explains=sorted(cause.explains),
        look=cause.look,
        mend=cause.mend,
        warning=warning,
    )


def _listed(session: Session, path: str) -> tuple[Mapping[str, Any], ...]:
    """A list of the API; empty where it cannot be had."""
    try:
        return tuple(listed(session.api.get, path))
    except (PodpathError, KeyError):
        return ()
