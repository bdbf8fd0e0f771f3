"""How expectations about a cluster that changes are judged: by the facts that a scenario noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labs import model
from scripts.probing.chance import both_tails
from scripts.probing.judges.base import judge
from scripts.probing.observation import Observation
from scripts.probing.verdict import PASSED, Failure, Finding, failed, inconclusive, passed
from scripts.waiting import TIMEOUTS


def _problem(facts: Mapping[str, Any]) -> Finding | None:
    return failed(Failure.NOT_FOLLOWED, str(facts["problem"])) if facts.get("problem") else None


def _unasked(facts: Mapping[str, Any]) -> Finding | None:
    """How many of none failed says nothing, neither way."""
    return _problem(facts) or (
        None if facts["asked"] else inconclusive(Failure.NO_EVIDENCE, "no connection was reported")
    )


@judge.register
def _(expected: model.SameAddress, seen: Observation) -> Finding:
    facts = seen.facts
    if facts["clusterIP before"] != facts["clusterIP after"]:
        why = f"the clusterIP was {facts['clusterIP before']} and is {facts['clusterIP after']}"
        return failed(Failure.WRONG_ADDRESS, why)
    if facts.get("problem"):
        return failed(Failure.NOT_REPLACED, str(facts["problem"]))
    hits = [answer for answer in seen.answers if answer.server.get(model.HEADER_POD) == facts["new Pod"]]
    if not hits:
        return failed(Failure.NOT_REPLACED, f"the new Pod {facts['new Pod']} did not answer on the clusterIP")
    if any(answer.remote[0] != facts["clusterIP before"] for answer in hits):
        return failed(Failure.WRONG_ADDRESS, "the new Pod answered at another address")
    return PASSED


@judge.register
def _(expected: model.FollowsLabels, seen: Observation) -> Finding:
    facts = seen.facts
    if problem := _problem(facts):
        return problem
    if facts["answers before"] or facts["answers after"]:
        when = "before it had" if facts["answers before"] else "after it lost"
        return failed(Failure.NOT_FOLLOWED, f"{facts['Pod']} answered {when} the label")
    if not facts["answers within"]:
        return failed(Failure.NOT_FOLLOWED, f"{facts['Pod']} had the label and did not answer")
    return PASSED


@judge.register
def _(expected: model.Converges, seen: Observation) -> Finding:
    """A change is never followed before it was made, nor later than was waited for: else a clock jumped."""
    facts = seen.facts
    if problem := _problem(facts):
        return problem
    rules = {**facts["rule there after ms"], **facts["rule gone after ms"]}
    delays = [*facts["rule there after ms"].values(), *facts["rule gone after ms"].values()]
    wrong = facts["last wrong answer after ms"]
    delays += [facts["first answer after ms"], *([] if wrong is None else [wrong])]
    if min(delays) < 0 or max(delays) > 1000 * 2 * TIMEOUTS.follow:
        told = f"{min(delays)} ms to {max(delays)} ms"
        return inconclusive(Failure.NO_EVIDENCE, f"the delays ({told}) cannot be: a clock jumped")
    silent = {node.name for node in seen.view.snapshot.nodes} - {*rules}
    if silent:
        return inconclusive(Failure.NO_EVIDENCE, f"no rules were watched on {', '.join(sorted(silent))}")
    there, gone = (max(facts[f"rule {state} after ms"].values()) for state in ("there", "gone"))
    return passed(
        f"the last node's rule was there after {there:.0f} ms and gone after {gone:.0f} ms; "
        f"first answer after {facts['first answer after ms']:.0f} ms, "
        + ("no wrong one seen" if wrong is None else f"last wrong one after {wrong:.0f} ms")
        + f" (of {facts['requests']} requests)"
    )


@judge.register
def _(expected: model.FailsByShare, seen: Observation) -> Finding:
    """Two-sided: neither more nor fewer connections fail than the Pod's share in the rules explains."""
    facts = seen.facts
    if problem := _unasked(facts):
        return problem
    asked, hung, share = int(facts["asked"]), int(facts["failed"]), float(facts["share"])
    other = int(facts["failed otherwise"])
    if other:
        return failed(Failure.NO_ANSWER, f"{other} connections failed in another way than by a time-out")
    if not hung:
        return failed(Failure.WRONG_SHARE, f"none of {asked} connections failed, while {facts['Pod']} hangs")
    if both_tails(hung, asked, share) < expected.false_alarm:
        told = f"{hung} of {asked} connections failed, the Pod's share is {share:.1%}"
        return failed(Failure.WRONG_SHARE, told)
    return passed(
        f"{hung} of {asked} connections failed ({hung / asked:.1%}), the Pod's share is {share:.1%}"
    )


@judge.register
def _(expected: model.NoneFails, seen: Observation) -> Finding:
    facts = seen.facts
    if problem := _unasked(facts):
        return problem
    lost = int(facts["failed"]) + int(facts["failed otherwise"])
    if lost:
        return failed(
            Failure.WRONG_SHARE, f"{lost} of {facts['asked']} connections failed although readiness did"
        )
    if not facts["hangs"]:
        return inconclusive(Failure.CONTROL_FAILED, f"{facts['Pod']} did not hang when it was asked itself")
    return passed(f"none of {facts['asked']} connections failed, while a request to the Pod itself hung")


@judge.register
def _(expected: model.FailsWith5xx, seen: Observation) -> Finding:
    facts = seen.facts
    if problem := _problem(facts):
        return problem
    if facts["status before"] != 200 or facts["status after"] != 200:
        told = f"{facts['status before']} before and {facts['status after']} after"
        return inconclusive(Failure.CONTROL_FAILED, f"with endpoints the URL answers {told}, not 200")
    if not 500 <= int(facts["status without"]) <= 599 or facts["backend without"]:
        who = f" from {facts['backend without']}" if facts["backend without"] else ""
        return failed(
            Failure.WRONG_STATUS, f"without endpoints the URL answers {facts['status without']}{who}"
        )
    return PASSED
