"""Run documents for the tests of the page: replayed real runs, and what is made of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from scripts.checks.verdict import Verdict
from scripts.runs.document import CauseRecord, ProbeRecord, ReplayRecord, RuleRecord, Run, TraceRecord
from tests.worlds.world import recorded

GREEN, BROKEN, ROUTED = "kind", "synack", "kind-ptp"
LOST = "P1-mesh-1-other"
"""A red probe of ``BROKEN`` whose replay ends at the bridge of the second worker."""
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m\x00\u202e</noscript></svg>&amp;{{7*7}}"
)


@cache
def explained() -> Run:
    """The broken run with the cause that was made, its replay with the rules that were met, and a warning."""
    run = recorded(BROKEN)
    rule = RuleRecord(
        table="filter",
        chain="FORWARD",
        text="-s 10.244.2.0/24 -d 10.244.1.0/24 -p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP",
        verdict="DROP",
        decided=True,
    )
    red = [probe.id for probe in run.probes if probe.verdict is Verdict.FAILED]
    cause = CauseRecord(
        kind="dropped",
        what="podpath-worker2 drops answers to Pods of podpath-worker",
        node="podpath-worker2",
        evidence=[f"filter/FORWARD rule 1 ({rule.text}) counted 38 in the replay"],
        explains=red,
        look="docker exec podpath-worker2 iptables -nvL FORWARD --line-numbers",
        mend="docker exec podpath-worker2 iptables -D FORWARD 1",
    )
    warning = CauseRecord(
        kind="unenforced",
        what="Nothing in this cluster enforces NetworkPolicies",
        evidence=["guarded answers although a policy closes it"],
        look="kubectl get networkpolicies -A",
        warning=True,
    )
    last = (
        "its request reached Pod server-5488c8c8f5-htjbs; its answer was last seen at cbr0 of podpath-worker2"
    )
    lost = ReplayRecord(passes=False, last=last, ended=[rule], trace=_cut(run, rule))
    probes = [_with(probe, replay=lost) if probe.id == LOST else probe for probe in run.probes]
    return run.model_copy(update={"causes": [cause, warning], "probes": probes})


def _cut(run: Run, rule: RuleRecord) -> TraceRecord:
    """A real trace whose answer ends at the second worker's bridge."""
    trace = next(probe.receipt.trace for probe in run.probes if probe.id == "P5-database-rest")
    assert trace is not None
    hops = list(trace.hops)
    turn = next(n for n, hop in enumerate(hops) if hop.way == "reply")
    met = RuleRecord(
        table="filter", chain="FORWARD", text="-j KUBE-FORWARD", verdict="JUMP KUBE-FORWARD", decided=False
    )
    hops = [*hops[: turn + 1], hops[turn + 1].model_copy(update={"rules": [met, rule]})]
    return trace.model_copy(update={"hops": hops, "answer": ""})


def _with(probe: ProbeRecord, **update: Any) -> ProbeRecord:
    return probe.model_copy(update={"receipt": probe.receipt.model_copy(update=update)})


def grown(run: Run, count: int) -> Run:
    """A run with its probes repeated, each under a name of its own, until there are ``count``."""
    probes = [
        probe.model_copy(update={"id": f"{probe.id}-x{n}" if n else probe.id})
        for n in range(count // len(run.probes) + 1)
        for probe in run.probes
    ]
    return run.model_copy(update={"probes": probes[:count]})


def cut_short(run: Run, after: int) -> Run:
    """A run that ended after ``after`` verdicts."""
    left = [
        {"id": probe.id, "claim": probe.claim, "lab": probe.lab, "sentence": probe.sentence}
        for probe in run.probes[after:]
    ]
    told = run.model_dump(mode="json", by_alias=True)
    known = {probe.claim for probe in run.probes[:after]}
    claims = [claim for claim in told["claims"] if claim["id"] in known]
    return Run.model_validate(
        {**told, "complete": False, "probes": told["probes"][:after], "unjudged": left, "claims": claims}
    )


def hostile(run: Run) -> Run:
    """A run with hostile text at the end of every text that something outside podpath may have written."""

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoilt(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [spoilt(one, key) for one in value]
        fixed = ("verdict", "failure", "way", "direction", "kind", "started", "http_code", "exitcode")
        return value + HOSTILE if isinstance(value, str) and key not in fixed else value

    return Run.model_validate(spoilt(run.model_dump(mode="json", by_alias=True)))
