"""Checks that change the cluster or take time, judged by the facts that they noted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scripts.checks.base import Observation
from scripts.checks.converge import Delays
from scripts.checks.disconnect import Statuses
from scripts.checks.hang import Failures, Hang
from scripts.checks.relabel import Membership
from scripts.checks.replace import Replacement
from scripts.checks.sample import Shares
from scripts.checks.verdict import Failure, Finding, Verdict
from scripts.evidence.conntrack import Entry, Flow, Index
from scripts.evidence.curl import Answer
from scripts.evidence.identity import HEADER_POD
from scripts.evidence.nodeview import Kernel
from tests.unit import atlas
from tests.unit.runs import F, I, P, step_of

POD = "spare 10.244.1.7"
LATE = "gave up after 30 s waiting for something."
STAYED = Replacement("10.96.0.80", "10.96.0.80", "frontend-1 10.244.1.3", "frontend-4", "10.244.1.4")
FOLLOWED = Membership(POD, answers_before=0, answers_within=5, answers_after=0)
SOON = {"control": 10.0, "worker-a": 20.0, "worker-b": 30.0}
DELAYS = Delays(POD, SOON, 35.0, SOON, None, 80)
HUNG = Failures(POD, asked=120, share=0.25, failed=30, failed_otherwise=0, hangs=True)
NONE = replace(HUNG, share=0, failed=0)
GONE = Statuses(before=200, without=503, backend_without="", after=200)


def answer(pod: str, ip: str = "10.96.0.80") -> Answer:
    client = {"exitcode": 0, "http_code": 200, "local_ip": "10.244.1.9", "local_port": 4}
    return Answer("n", {**client, "remote_ip": ip, "remote_port": 80}, {HEADER_POD: pod})


def unheard() -> Answer:
    client = {"exitcode": 28, "http_code": 0, "local_port": 0, "time_total": 2.0, "errormsg": "late"}
    return Answer("n", client)


def judged(id: str, facts: object, *answers: Answer) -> Finding:
    step = step_of(id)
    return step.probe.check.judge(Observation(step, atlas.view(), answers=answers, facts=facts))


@pytest.mark.parametrize(
    ("facts", "verdict", "failure", "said"),
    [
        (FOLLOWED, P, None, ""),
        (replace(FOLLOWED, answers_before=1), F, Failure.NOT_FOLLOWED, "answered before it had the label"),
        (replace(FOLLOWED, answers_after=2), F, Failure.NOT_FOLLOWED, "answered after it lost the label"),
        (replace(FOLLOWED, answers_within=0), F, Failure.NOT_FOLLOWED, "had the label and did not answer"),
        (Membership(POD, problem=LATE), F, Failure.NOT_FOLLOWED, "gave up"),
    ],
)
def test_a_pod_joins_and_leaves_by_its_label(
    facts: Membership, verdict: Verdict, failure: Failure | None, said: str
) -> None:
    seen = judged("S3", facts)
    assert (seen.verdict, seen.failure) == (verdict, failure) and said in seen.why


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (DELAYS, P, None),
        (replace(DELAYS, last_wrong_answer_after_ms=900.0), P, None),
        (replace(DELAYS, last_wrong_answer_after_ms=-2.0), I, Failure.NO_EVIDENCE),
        (replace(DELAYS, first_answer_after_ms=-1.0), I, Failure.NO_EVIDENCE),
        (replace(DELAYS, rule_gone_after_ms={**SOON, "control": -3.5}), I, Failure.NO_EVIDENCE),
        (replace(DELAYS, rule_there_after_ms={**SOON, "control": 3_600_000.0}), I, Failure.NO_EVIDENCE),
        (
            replace(DELAYS, rule_there_after_ms={"control": 1.0}, rule_gone_after_ms={"control": 1.0}),
            I,
            Failure.NO_EVIDENCE,
        ),
        (Delays(POD, problem=LATE), F, Failure.NOT_FOLLOWED),
    ],
)
def test_every_nodes_rules_follow(facts: Delays, verdict: Verdict, failure: Failure | None) -> None:
    seen = judged("S5", facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


def test_what_was_measured_is_told_where_it_passed() -> None:
    assert judged("S5", DELAYS).why == (
        "the last node's rule was there after 30 ms and gone after 30 ms; "
        "first answer after 35 ms, no wrong one seen (of 80 requests)"
    )
    late = judged("S5", replace(DELAYS, last_wrong_answer_after_ms=12.0)).why
    assert "last wrong one after 12 ms" in late
    share = judged("S7-hangs", HUNG).why
    assert share == "30 of 120 connections failed (25.0%), the Pod's share is 25.0%"
    assert judged("S7-ready", NONE).why.startswith("none of 120 connections failed")


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (HUNG, P, None),
        (replace(HUNG, failed=18), P, None),
        (replace(HUNG, failed=43), P, None),
        (replace(HUNG, failed=12), F, Failure.WRONG_SHARE),
        (replace(HUNG, failed=50), F, Failure.WRONG_SHARE),
        (replace(HUNG, failed=0), F, Failure.WRONG_SHARE),
        (replace(HUNG, asked=4, failed=0), F, Failure.WRONG_SHARE),
        (replace(HUNG, failed_otherwise=1), F, Failure.NO_ANSWER),
        (replace(HUNG, asked=0, failed=0), I, Failure.NO_EVIDENCE),
        (replace(HUNG, asked=0, problem=LATE), F, Failure.NOT_FOLLOWED),
        (replace(HUNG, problem=LATE), F, Failure.NOT_FOLLOWED),
    ],
)
def test_a_hanging_pod_fails_its_share(facts: Failures, verdict: Verdict, failure: Failure | None) -> None:
    seen = judged("S7-hangs", facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why


def test_what_surprises_is_the_checks_own() -> None:
    step, facts = step_of("S7-hangs"), replace(HUNG, failed=40)
    seen = Observation(step, atlas.view(), facts=facts)
    assert isinstance(step.probe.check, Hang) and step.probe.check.judge(seen).verdict is P
    assert replace(step.probe.check, surprise=0.1).judge(seen).failure is Failure.WRONG_SHARE


@pytest.mark.parametrize(("hung", "bursts"), [((30,), 1), ((60, 31), 2), ((60, 59), 2)])
def test_what_surprises_is_asked_once_more(hung: tuple[int, ...], bursts: int) -> None:
    """Chance alone surprises one run in a thousand; the second burst decides."""
    check, sent = step_of("S7-hangs").probe.check, iter(hung)

    def burst(times: int, total: float) -> list[SimpleNamespace]:
        silent = next(sent)
        return [SimpleNamespace(exitcode=28 if n < silent else 0) for n in range(times)]

    assert isinstance(check, Hang)
    answers = check._asked(cast(Any, SimpleNamespace(burst=burst)), share=0.25)
    assert sum(answer.exitcode == 28 for answer in answers) == hung[bursts - 1]
    assert not [*sent]


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (NONE, P, None),
        (replace(NONE, failed=1), F, Failure.WRONG_SHARE),
        (replace(NONE, failed_otherwise=1), F, Failure.WRONG_SHARE),
        (replace(NONE, hangs=False), I, Failure.CONTROL_FAILED),
        (replace(NONE, hangs=False, failed=1), F, Failure.WRONG_SHARE),
        (replace(NONE, problem=LATE), F, Failure.NOT_FOLLOWED),
        (replace(NONE, asked=0), I, Failure.NO_EVIDENCE),
    ],
)
def test_a_hanging_pod_that_is_not_ready_fails_nobody(
    facts: Failures, verdict: Verdict, failure: Failure | None
) -> None:
    seen = judged("S7-ready", facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


@pytest.mark.parametrize(
    ("facts", "verdict", "failure"),
    [
        (GONE, P, None),
        (replace(GONE, without=500), P, None),
        (replace(GONE, without=599), P, None),
        (replace(GONE, without=404), F, Failure.WRONG_STATUS),
        (replace(GONE, without=600), F, Failure.WRONG_STATUS),
        (replace(GONE, backend_without="blog-1"), F, Failure.WRONG_STATUS),
        (replace(GONE, before=503), I, Failure.CONTROL_FAILED),
        (replace(GONE, after=503), I, Failure.CONTROL_FAILED),
        (Statuses(problem=LATE), F, Failure.NOT_FOLLOWED),
    ],
)
def test_a_url_without_endpoints_fails_with_5xx(
    facts: Statuses, verdict: Verdict, failure: Failure | None
) -> None:
    seen = judged("I11", facts)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


@pytest.mark.parametrize(
    ("facts", "answers", "verdict", "failure"),
    [
        (STAYED, [answer("frontend-2"), answer("frontend-4")], P, None),
        (
            replace(STAYED, cluster_ip_after="10.96.0.81"),
            [answer("frontend-4")],
            F,
            Failure.WRONG_ADDRESS,
        ),
        (STAYED, [answer("frontend-2")], F, Failure.NOT_REPLACED),
        (STAYED, [], F, Failure.NOT_REPLACED),
        (replace(STAYED, problem=LATE), [answer("frontend-4")], F, Failure.NOT_REPLACED),
        (STAYED, [answer("frontend-4", "10.96.0.81")], F, Failure.WRONG_ADDRESS),
    ],
)
def test_an_address_outlives_its_pod(
    facts: Replacement, answers: list[Answer], verdict: Verdict, failure: Failure | None
) -> None:
    seen = judged("S1", facts, *answers)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (Shares(90, "fair", "t", {}, {}), P),
        (Shares(90, "unfair", "t", {}, {}), F),
        (Shares(90, None, "cannot tell yet", {}, {}), I),
        (Shares(0, None, "nothing was reported", {}, {}), I),
    ],
)
def test_shares_are_those_that_the_test_decided(facts: Shares, verdict: Verdict) -> None:
    seen = judged("S2-1", facts)
    assert seen.verdict is verdict and seen.why


def test_a_connection_that_the_machine_lost_refutes_no_shares() -> None:
    one = judged("S2-1", Shares(90, "fair", "t", {}, {}, sent=150, unanswered=1), unheard())
    assert one.verdict is P and one.why == "t; 1 of 150 connections got no answer"
    many = judged("S2-1", Shares(90, "fair", "t", {}, {}, sent=150, unanswered=37), unheard())
    assert (many.verdict, many.failure) == (F, Failure.TIMED_OUT)
    assert many.why.startswith("37 of 150 connections got no answer, such as this: ")
    none = judged("S2-1", Shares(0, None, "t", {}, {}, sent=150, unanswered=150), unheard())
    assert none.verdict is F


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ({"10.244.9.9:8080": 0.02, "10.244.1.3:8080": 0.98}, F),
        ({"10.244.1.3:8080": 1.0}, P),  # what the rules no longer have is left from an earlier change
    ],
)
def test_a_single_connection_that_the_rules_led_to_nobody_refutes(
    rules: dict[str, float], verdict: Verdict
) -> None:
    step = step_of("S2-1")
    target = step.work.target
    assert target is not None
    asked = Flow(step.place.ip, target.address, 40000, target.port)
    sent = Entry(asked, Flow("10.244.9.9", step.place.ip, 8080, 40000), "SYN_SENT", "")
    kernel = Kernel(index=Index({step.place.node: [sent]}))
    facts = Shares(90, "fair", "t", {}, rules, sent=150, unanswered=1)
    seen = step.probe.check.judge(
        Observation(step, atlas.view(), kernel, answers=(unheard(),), facts=facts),
    )
    assert seen.verdict is verdict, seen.why
    assert ("1 went to 10.244.9.9, which is no ready endpoint" in seen.why) is (verdict is F)
