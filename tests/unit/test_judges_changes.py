"""Expectations about a cluster that changes, judged by the facts that a scenario noted."""

from __future__ import annotations

from typing import Any

import pytest

from labs import model
from scripts.probing.curl import Answer
from scripts.probing.judges import judge
from scripts.probing.observation import Observation
from scripts.probing.plan import plan_of
from scripts.probing.verdict import Failure, Finding, Verdict
from tests.unit import atlas
from tests.unit.runs import EVERY, F, I, P

POD = {"Pod": "spare 10.244.1.7"}
LATE = {"problem": "waited 30 s for something in vain."}
STAYED = {"clusterIP before": "10.96.0.80", "clusterIP after": "10.96.0.80", "new Pod": "frontend-4"}
FOLLOWED = {**POD, "answers before": 0, "answers within": 5, "answers after": 0}
SOON = {"control": 10.0, "worker-a": 20.0, "worker-b": 30.0}
DELAYS = {**POD, "rule there after ms": SOON, "rule gone after ms": SOON, "first answer after ms": 35.0,
          "last wrong answer after ms": None, "requests": 80}  # fmt: skip
UNWATCHED = {f"rule {state} after ms": {"control": 1.0} for state in ("there", "gone")}
HUNG = {**POD, "asked": 120, "share": 0.25, "failed": 30, "failed otherwise": 0, "hangs": True}
NONE = {**HUNG, "share": 0, "failed": 0}
GONE = {"status before": 200, "status without": 503, "backend without": "", "status after": 200}


def answer(pod: str, ip: str = "10.96.0.80") -> Answer:
    client = {"exitcode": 0, "http_code": 200, "local_ip": "10.244.1.9", "local_port": 4}
    return Answer("n", {**client, "remote_ip": ip, "remote_port": 80}, {model.HEADER_POD: pod})


def judged(expected: model.Expectation, facts: dict[str, Any], *answers: Answer) -> Finding:
    pair = next(each for each in EVERY if each[1].id == "S1")
    (step,) = plan_of([pair], atlas.view()).steps
    return judge(expected, Observation(step, atlas.view(), answers=answers, facts=facts))


@pytest.mark.parametrize(
    ("facts", "verdict", "failure", "said"),
    [
        (FOLLOWED, P, None, ""),
        (FOLLOWED | {"answers before": 1}, F, Failure.NOT_FOLLOWED, "answered before it had the label"),
        (FOLLOWED | {"answers after": 2}, F, Failure.NOT_FOLLOWED, "answered after it lost the label"),
        (FOLLOWED | {"answers within": 0}, F, Failure.NOT_FOLLOWED, "had the label and did not answer"),
        (POD | LATE, F, Failure.NOT_FOLLOWED, "in vain"),
    ],
)
def test_follows_labels(facts: dict[str, Any], verdict: Verdict, failure: Failure | None, said: str) -> None:
    seen = judged(model.FollowsLabels(), facts)
    assert (seen.verdict, seen.failure) == (verdict, failure) and said in seen.why


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (DELAYS, P, None),
        (DELAYS | {"last wrong answer after ms": 900.0}, P, None),
        (DELAYS | {"last wrong answer after ms": -2.0}, I, Failure.NO_EVIDENCE),
        (DELAYS | {"first answer after ms": -1.0}, I, Failure.NO_EVIDENCE),
        (DELAYS | {"rule gone after ms": {**SOON, "control": -3.5}}, I, Failure.NO_EVIDENCE),
        (DELAYS | {"rule there after ms": {**SOON, "control": 3_600_000.0}}, I, Failure.NO_EVIDENCE),
        (DELAYS | UNWATCHED, I, Failure.NO_EVIDENCE),
        (POD | LATE, F, Failure.NOT_FOLLOWED),
    ],
)  # fmt: skip
def test_converges(facts: dict[str, Any], verdict: Verdict, failure: Failure | None) -> None:
    seen = judged(model.Converges(), facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


def test_what_was_measured_is_told_where_it_passed() -> None:
    assert judged(model.Converges(), DELAYS).why == (
        "the last node's rule was there after 30 ms and gone after 30 ms; "
        "first answer after 35 ms, no wrong one seen (of 80 requests)"
    )
    late = judged(model.Converges(), DELAYS | {"last wrong answer after ms": 12.0}).why
    assert "last wrong one after 12 ms" in late
    share = judged(model.FailsByShare(), HUNG).why
    assert share == "30 of 120 connections failed (25.0%), the Pod's share is 25.0%"
    assert judged(model.NoneFails(), NONE).why.startswith("none of 120 connections failed")


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (HUNG, P, None),
        (HUNG | {"failed": 18}, P, None),
        (HUNG | {"failed": 43}, P, None),
        (HUNG | {"failed": 12}, F, Failure.WRONG_SHARE),
        (HUNG | {"failed": 50}, F, Failure.WRONG_SHARE),
        (HUNG | {"failed": 0}, F, Failure.WRONG_SHARE),
        (HUNG | {"asked": 4, "failed": 0}, F, Failure.WRONG_SHARE),
        (HUNG | {"failed otherwise": 1}, F, Failure.NO_ANSWER),
        (HUNG | {"asked": 0, "failed": 0}, I, Failure.NO_EVIDENCE),
        (HUNG | LATE | {"asked": 0}, F, Failure.NOT_FOLLOWED),
        (HUNG | LATE, F, Failure.NOT_FOLLOWED),
    ],
)
def test_fails_by_share(facts: dict[str, Any], verdict: Verdict, failure: Failure | None) -> None:
    seen = judged(model.FailsByShare(), facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why


def test_the_rate_of_false_alarms_is_the_expectations_own() -> None:
    facts = HUNG | {"failed": 40}
    assert judged(model.FailsByShare(), facts).verdict is P
    assert judged(model.FailsByShare(false_alarm=0.1), facts).failure is Failure.WRONG_SHARE


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (NONE, P, None),
        (NONE | {"failed": 1}, F, Failure.WRONG_SHARE),
        (NONE | {"failed otherwise": 1}, F, Failure.WRONG_SHARE),
        (NONE | {"hangs": False}, I, Failure.CONTROL_FAILED),
        (NONE | {"hangs": False, "failed": 1}, F, Failure.WRONG_SHARE),
        (POD | LATE, F, Failure.NOT_FOLLOWED),
        (NONE | {"asked": 0}, I, Failure.NO_EVIDENCE),
    ],
)
def test_none_fails(facts: dict[str, Any], verdict: Verdict, failure: Failure | None) -> None:
    seen = judged(model.NoneFails(), facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (GONE, P, None),
        (GONE | {"status without": 500}, P, None),
        (GONE | {"status without": 599}, P, None),
        (GONE | {"status without": 404}, F, Failure.WRONG_STATUS),
        (GONE | {"status without": 600}, F, Failure.WRONG_STATUS),
        (GONE | {"backend without": "blog-1"}, F, Failure.WRONG_STATUS),
        (GONE | {"status before": 503}, I, Failure.CONTROL_FAILED),
        (GONE | {"status after": 503}, I, Failure.CONTROL_FAILED),
        (LATE, F, Failure.NOT_FOLLOWED),
    ],
)
def test_fails_with_5xx(facts: dict[str, Any], verdict: Verdict, failure: Failure | None) -> None:
    seen = judged(model.FailsWith5xx(), facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


@pytest.mark.parametrize(
    ("facts", "answers", "verdict", "failure"),
    [
        (STAYED, [answer("frontend-2"), answer("frontend-4")], P, None),
        (STAYED | {"clusterIP after": "10.96.0.81"}, [answer("frontend-4")], F, Failure.WRONG_ADDRESS),
        (STAYED, [answer("frontend-2")], F, Failure.NOT_REPLACED),
        (STAYED, [], F, Failure.NOT_REPLACED),
        (STAYED | LATE, [answer("frontend-4")], F, Failure.NOT_REPLACED),
        (STAYED, [answer("frontend-4", "10.96.0.81")], F, Failure.WRONG_ADDRESS),
    ],
)
def test_same_address(
    facts: dict[str, Any], answers: list[Answer], verdict: Verdict, failure: Failure | None
) -> None:
    seen = judged(model.SameAddress(), facts, *answers)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"decision": "fair", "told": "t"}, P),
        ({"decision": "unfair", "told": "t"}, F),
        ({"decision": None, "told": "cannot tell yet"}, I),
        ({}, I),
    ],
)
def test_follows_rules(facts: dict[str, Any], verdict: Verdict) -> None:
    seen = judged(model.FollowsRules(), facts)
    assert seen.verdict is verdict and seen.why
