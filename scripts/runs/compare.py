"""Compares two runs: verdicts, paths, causes, versions, features, nodes and timings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from scripts.checks.verdict import Verdict
from scripts.ends import ip_of
from scripts.evidence.identity import HEADER_NONCE, HEADER_PEER
from scripts.runs.claims import ClaimVerdict
from scripts.runs.comparison import (
    CauseChange,
    Comparison,
    Direction,
    PathChange,
    SideRecord,
    ValueChange,
    VerdictChange,
)
from scripts.runs.document import CauseRecord, ClusterRecord, ProbeRecord, Run
from scripts.runs.durations import comparable, noise, timings
from scripts.runs.masked import masked
from scripts.runs.ways import differences

PROBES = (Verdict.PASSED, Verdict.INCONCLUSIVE, Verdict.FAILED)
CLAIMS = (
    ClaimVerdict.PROVEN,
    ClaimVerdict.NOT_APPLICABLE,
    ClaimVerdict.INCONCLUSIVE,
    ClaimVerdict.REFUTED,
)
"""From the best to the worst."""


def compare(before: Run, after: Run, others: Sequence[Run] = ()) -> Comparison:
    """What differs from ``before`` to ``after``. ``others`` are runs of the same stack, to tell noise by."""
    old, new = ({probe.id: probe for probe in run.probes} for run in (before, after))
    claims, probes, usual = _claims(before, after), _probes(old, new), comparable(after, others)
    return Comparison(
        schema=1,
        before=_side(before),
        after=_side(after),
        worse=any(one.direction is Direction.WORSE for one in (*claims, *probes)),
        claims=claims,
        probes=probes,
        findings=_findings(before, after),
        paths=_paths(old, new),
        causes=_causes(before.causes, after.causes),
        versions=_values(before.environment, after.environment),
        features=_features(before.cluster, after.cluster),
        nodes=_nodes(before, after),
        timings=timings(before, after, usual),
        noise=noise(usual),
        only_before=[id for id in _asked(before) if id not in {*_asked(after)}],
        only_after=[id for id in _asked(after) if id not in {*_asked(before)}],
    )


def _side(run: Run) -> SideRecord:
    return SideRecord(
        id=run.id,
        stack=run.stack,
        started=run.started,
        complete=run.complete,
        seconds=run.seconds,
        probes=_counts((probe.verdict for probe in run.probes), Verdict),
        claims=_counts((claim.verdict for claim in run.claims), ClaimVerdict),
        unjudged=len(run.unjudged),
    )


def _counts(verdicts: Iterable[str], order: Iterable[str]) -> dict[str, int]:
    counts = Counter(verdicts)
    return {str(verdict): counts[verdict] for verdict in order if counts[verdict]}


def _asked(run: Run) -> list[str]:
    return [*(probe.id for probe in run.probes), *(probe.id for probe in run.unjudged)]


def _direction(before: str, after: str, ranks: Sequence[str]) -> Direction:
    """Worse is any step down from the best; better is only what is the best now.

    What is skipped says nothing, so that is neither; nor is a claim that a filter left unjudged. A claim that
    applied and does so no longer is worse.
    """
    if before not in ranks or after not in ranks:
        return Direction.OTHER
    if ranks.index(after) > ranks.index(before):
        return Direction.WORSE
    return Direction.BETTER if before != after == ranks[0] else Direction.OTHER


def _claims(before: Run, after: Run) -> list[VerdictChange]:
    old = {claim.id: claim for claim in before.claims}
    return _sorted(
        VerdictChange(
            id=claim.id,
            sentence=claim.sentence,
            before=old[claim.id].verdict,
            after=claim.verdict,
            direction=_direction(old[claim.id].verdict, claim.verdict, CLAIMS),
            why=claim.told or "",
        )
        for claim in after.claims
        if claim.id in old and claim.verdict is not old[claim.id].verdict
    )


def _probes(old: Mapping[str, ProbeRecord], new: Mapping[str, ProbeRecord]) -> list[VerdictChange]:
    return _sorted(
        VerdictChange(
            id=id,
            lab=probe.lab,
            sentence=probe.sentence,
            before=_ended(old[id]),
            after=_ended(probe),
            direction=_direction(old[id].verdict, probe.verdict, PROBES),
            failure=probe.failure or "",
            why=probe.why or "",
            last=probe.receipt.replay.last if probe.receipt.replay else "",
        )
        for id, probe in new.items()
        if id in old and _ended(probe) != _ended(old[id])
    )


def _findings(before: Run, after: Run) -> list[ValueChange]:
    """What probes found that passed in both runs, where it differs in words."""
    old = {probe.id: probe.why for probe in before.probes if probe.verdict is Verdict.PASSED and probe.why}
    return [
        ValueChange(name=probe.id, before=old[probe.id], after=probe.why)
        for probe in after.probes
        if probe.verdict is Verdict.PASSED and probe.why and probe.id in old
        if masked(old[probe.id], before) != masked(probe.why, after)
    ]


def _ended(probe: ProbeRecord) -> str:
    return f"{probe.verdict} ({probe.failure})" if probe.failure else probe.verdict


def _sorted(changes: Iterable[VerdictChange]) -> list[VerdictChange]:
    """Worse ones first, and of these the failed before the inconclusive; else in the order of the run."""
    order = [*Direction]
    return sorted(changes, key=lambda one: (order.index(one.direction), one.after.startswith("inconclusive")))


# --- paths ------------------------------------------------------------------------------------------


def _paths(old: Mapping[str, ProbeRecord], new: Mapping[str, ProbeRecord]) -> list[PathChange]:
    """What changed on the paths of probes that both runs asked: each change once, with all its probes."""
    found: dict[tuple[str, bool], list[str]] = {}
    for id, probe in new.items():
        if id in old:
            for words, chosen in _differences(old[id], probe):
                found.setdefault((words, chosen), []).append(id)
    changes = [PathChange(words=words, probes=ids, chosen=chosen) for (words, chosen), ids in found.items()]
    return sorted(changes, key=lambda one: one.chosen)


def _differences(before: ProbeRecord, after: ProbeRecord) -> list[tuple[str, bool]]:
    traces = before.receipt.trace, after.receipt.trace
    if traces[0] and traces[1]:
        return [(one.words, one.chosen) for one in differences(traces[0], traces[1])]
    own = _own_address(before), _own_address(after)
    if own == (True, False):
        return [("NAT appeared: the server sees another address than the client's own", False)]
    if own == (False, True):
        return [("NAT gone: the server sees the client's own address", False)]
    return []


def _own_address(probe: ProbeRecord) -> bool | None:
    """Whether servers saw the client's own address; None if none said so, or some and others not."""
    clients = {one.get("nonce"): one.get("local_ip") for one in probe.receipt.client}
    seen = {
        ip_of(one[HEADER_PEER]) == clients[one[HEADER_NONCE]]
        for one in probe.receipt.server
        if HEADER_PEER in one and clients.get(one.get(HEADER_NONCE))
    }
    return seen.pop() if len(seen) == 1 else None


# --- what the runs ran against ----------------------------------------------------------------------


def _causes(before: Sequence[CauseRecord], after: Sequence[CauseRecord]) -> list[CauseChange]:
    """Causes that came and went; the same words, or the same kind at the same node, are the same cause."""
    left, came, stayed = [*before], list[CauseRecord](), list[CauseRecord]()
    for cause in after:
        same = [one for one in left if one.what == cause.what]
        same = same or [one for one in left if (one.kind, one.node) == (cause.kind, cause.node)]
        if not same:
            came.append(cause)
            continue
        left.remove(same[0])
        if {*same[0].explains} != {*cause.explains}:
            stayed.append(cause)
    changes = ("came", came), ("went", left), ("stayed", stayed)
    return [CauseChange(change=change, cause=cause) for change, causes in changes for cause in causes]


def _values(before: Mapping[str, str], after: Mapping[str, str]) -> list[ValueChange]:
    names = dict.fromkeys((*before, *after))
    return [
        ValueChange(name=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    ]


def _features(before: ClusterRecord, after: ClusterRecord) -> list[ValueChange]:
    """Features that are there in one run only; the reason is that of the run after."""
    reasons = {one.name: one.reason for one in (*before.features, *after.features)}
    there = ({one.name: "yes" if one.there else "no" for one in of.features} for of in (before, after))
    return [one.model_copy(update={"reason": reasons[one.name]}) for one in _values(*there)]


def _nodes(before: Run, after: Run) -> list[ValueChange]:
    """Nodes that came, went or changed their state; of different stacks only how many there are."""
    if before.stack != after.stack:
        counts = ({"number of nodes": str(len(run.cluster.nodes))} for run in (before, after))
        return _values(*counts)
    states = (
        {node.name: "ready" if node.ready else "not ready" for node in run.cluster.nodes}
        for run in (before, after)
    )
    return _values(*states)
