"""From observations to verdicts: each check's own judgement, corrected by its positive controls."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.checks.base import Observation, Probe
from scripts.checks.verdict import Failure, Finding, Verdict, failed, inconclusive
from scripts.evidence.view import MissingPeer, NodeDown, NotHere
from scripts.runs.document import ProbeRecord, ReceiptRecord
from scripts.suite.plan import Plan
from scripts.suite.receipt import receipt_of


def judged(seen: Observation) -> ProbeRecord:
    """The record of a probe; an observation that is not credible is not judged.

    A peer that only its judge needs, and that is not there, fails it as one that it asks would.
    """
    try:
        finding = seen.lost or seen.step.probe.check.judge(seen)
    except NodeDown as reason:
        finding = inconclusive(Failure.NODE_DOWN, str(reason))
    except (MissingPeer, NotHere) as reason:
        finding = failed(Failure.MISSING_PEER, str(reason))
    return _record(seen.step.lab, seen.step.probe, finding, receipt_of(seen), _by_hand(seen))


def unasked(lab: str, probe: Probe, plan: Plan) -> ProbeRecord:
    """The record of a probe that the plan settled: it could not be asked."""
    return _record(lab, probe, plan.settled[probe.id], ReceiptRecord(), "")


def unplayed(lab: str, probe: Probe, records: Mapping[str, ProbeRecord]) -> ProbeRecord | None:
    """The record of a scenario that need not run because a probe it rests on did not pass; None: run it."""
    for id in probe.rests_on:
        record = records.get(id)
        if record is not None and record.verdict not in (Verdict.PASSED, Verdict.SKIPPED):
            why = f"not run: it rests on {id}, which is {record.verdict}: {record.why}"
            finding = Finding(Verdict.INCONCLUSIVE, Failure.RESTS_ON, why)
            return _record(lab, probe, finding, ReceiptRecord(), "").model_copy(update={"follows": id})
    return None


def controlled(record: ProbeRecord, probe: Probe, records: Mapping[str, ProbeRecord]) -> ProbeRecord:
    """A negative probe that passed stays so only if its positive controls passed as well.

    Where this cluster has nobody for a control, it has nobody for the probe either, which is skipped.
    """
    verdicts = {id: records[id].verdict for id in probe.controls if id in records}
    missing = [id for id in probe.controls if verdicts.get(id) is not Verdict.PASSED]
    if record.verdict is not Verdict.PASSED or not missing:
        return record
    broken = [id for id in missing if verdicts.get(id) is not Verdict.SKIPPED]
    if not broken:
        why = f"without its control {missing[0]} silence would prove nothing: {records[missing[0]].why}"
        changed = {"verdict": Verdict.SKIPPED, "failure": None, "why": why}
        return record.model_copy(update={**changed, "follows": missing[0]})
    state = verdicts.get(broken[0], "not in this run")
    why = f"its control {broken[0]} is {state}, so silence proves nothing"
    finding = {"verdict": Verdict.INCONCLUSIVE, "failure": Failure.CONTROL_FAILED, "why": why}
    return record.model_copy(update={**finding, "follows": broken[0]})


def _by_hand(seen: Observation) -> str:
    """What a person types to see the same: the first of several requests or commands that failed."""
    step, failed_ = seen.step, [answer.nonce for answer in seen.answers if answer.exitcode]
    for place, request in step.sent:
        if request.nonce in failed_[:1]:
            return place.command(*request.argv())
    for command in step.work.commands:
        output = seen.outputs.get(command.key)
        if output is not None and output.returncode:
            return command.place.command(*command.argv)
    whole = step.command
    return "" if "\n" in whole else whole  # a program of many lines is nothing to paste


def _record(lab: str, probe: Probe, finding: Finding, receipt: ReceiptRecord, command: str) -> ProbeRecord:
    return ProbeRecord(
        family=probe.family,
        id=probe.id,
        claim=probe.claim,
        lab=lab,
        sentence=str(probe),
        verdict=finding.verdict,
        failure=finding.failure,
        why=finding.why or None,
        command=command,
        refutes=probe.instead,
        receipt=receipt,
    )
