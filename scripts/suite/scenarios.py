"""Plays the checks that take time or change the cluster: one after another in a lab, all labs at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from scripts.checks.base import Observation, Scenario, Step
from scripts.checks.verdict import Failure, failed, inconclusive
from scripts.errors import PodpathError
from scripts.evidence.nodeview import Kernel
from scripts.evidence.view import MissingPeer, NodeDown, NotHere
from scripts.runs import events
from scripts.runs.document import ProbeRecord
from scripts.suite.ask import Session
from scripts.suite.collect import clients_of, kernels
from scripts.suite.judge import judged, unplayed
from scripts.suite.pulse import NodeSilent
from scripts.transport.executor import PodExecError


def played(session: Session, step: Step, before: Kernel) -> Observation:
    """What a scenario saw."""
    check = step.probe.check
    assert isinstance(check, Scenario), "only scenarios are played"
    try:
        return check.play(session.stage(step, before))
    except (NodeDown, NodeSilent) as error:
        return Observation(step, session.view, lost=inconclusive(Failure.NODE_DOWN, str(error)))
    except (MissingPeer, NotHere) as error:
        return Observation(step, session.view, lost=failed(Failure.MISSING_PEER, str(error)))
    except (PodExecError, PodpathError) as error:
        return Observation(step, session.view, lost=inconclusive(Failure.TRANSPORT, str(error)))


def play_all(
    session: Session, steps: Sequence[Step], before: Kernel, records: Mapping[str, ProbeRecord]
) -> tuple[list[Observation], list[ProbeRecord]]:
    """Plays scenarios that change the cluster: those of a lab in turn, the labs, sharing nothing, at once.
    So are those that share nothing with the others of their lab either.

    One that rests on a probe that did not pass, by ``records`` or by its lab's scenarios before it, is not
    played: its record says so. Returns what was seen, and those records.

    The lab with most of them is played in the calling thread, so that an interrupt restores at once what its
    scenario has changed; the other labs' scenarios then end in their own way. The kernels are asked about
    all their connections when the last one has ended, so that this disturbs none of them.
    """
    if not steps:
        return [], []
    labs: dict[str, list[Step]] = {}
    for step in steps:
        check = step.probe.check
        apart = isinstance(check, Scenario) and check.beside
        labs.setdefault(f"{step.lab}/{step.probe.id}" if apart else step.lab, []).append(step)
    longest = max(labs.values(), key=len)
    seen: dict[str, Observation] = {}
    resting: dict[str, ProbeRecord] = {}
    ended = threading.Event()

    def play_lab(lab: Sequence[Step], tell: events.Observer) -> None:
        known = dict(records)
        for step in lab:
            if ended.is_set():
                return
            id = step.probe.id
            if record := unplayed(step.lab, step.probe, known):
                known[id] = resting[id] = record
                continue
            begun = time.monotonic()
            tell(events.ScenarioStarted(id))
            seen[id] = played(session, step, before)
            tell(events.ScenarioFinished(id, time.monotonic() - begun))
            known[id] = judged(seen[id])

    beside = [
        session.threads.submit(play_lab, lab, session.teller.later)
        for lab in labs.values()
        if lab is not longest
    ]
    try:
        play_lab(longest, session.teller.tell)
        for future in beside:
            future.result()
    finally:
        ended.set()
    if not seen:
        return [], [*resting.values()]
    answers = [answer for one in seen.values() for answer in one.answers]
    kernel = kernels(session, clients_of(steps, answers), "scenarios")
    return [replace(one, kernel=kernel) for one in seen.values()], [*resting.values()]
