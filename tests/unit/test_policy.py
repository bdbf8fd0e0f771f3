"""NetworkPolicies (K8): what is denied, by whose rule, how soon, and what shows nothing of it."""

from __future__ import annotations

import dataclasses

import pytest

from labs import probes_of
from scripts.checks.base import Observation, Work
from scripts.checks.enforcement import Change, Followed, change, within
from scripts.checks.verdict import Failure, Finding, Verdict
from scripts.clusters.features import features_of
from scripts.evidence.curl import Answer
from scripts.evidence.identity import HEADER_NONCE
from scripts.evidence.ruletrace import Passage
from scripts.evidence.view import View
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, results, step_of
from tests.unit.scenes import rule, way

pytestmark = pytest.mark.usefixtures("impatient")
GUARDED = atlas.PODS["guarded-1"][2]
DENIED, ALLOWED = "K8-denied-1-same", "K8-allowed-1-same"


def enforcing(*labels: dict[str, str], ready: bool = True) -> View:
    """The world with a Pod of an engine on each node, by these labels."""
    shot = atlas.snapshot()
    like = shot.pods[0]
    more = [
        dataclasses.replace(like, name=f"engine-{n}-{node.name}", node=node.name, labels=of, ready=ready)
        for n, of in enumerate(labels)
        for node in shot.nodes
    ]
    return dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=(*shot.pods, *more)))


KUBE_ROUTER = enforcing({"k8s-app": "kube-router"})


def test_where_nothing_enforces_policies_the_whole_table_is_answered_and_says_so() -> None:
    table = " ".join(probe.id for probe in probes_of("pitfalls") if probe.claim == "K8")
    seen = results(ids=table)
    assert {record.verdict for id, record in seen.items() if id != "K8-follows"} == {P}
    assert seen[DENIED].why == (
        "nothing here enforces NetworkPolicies: guarded-1 answered although NetworkPolicy guarded closes it"
    )
    assert (seen["K8-follows"].verdict, seen["K8-follows"].why) == (
        Verdict.SKIPPED,
        "no Pod of a NetworkPolicy engine runs here: nobody would follow a change",
    )
    kindnet = results(ids=DENIED, view=enforcing({"app": "kindnet"}))[DENIED]
    assert kindnet.verdict is P and "enforces NetworkPolicies, although kindnet runs: " in (kindnet.why or "")


def test_an_engine_that_enforces_nothing_is_red() -> None:
    seen = results(ids=DENIED, view=KUBE_ROUTER)[DENIED]
    assert (seen.verdict, seen.failure) == (F, Failure.UNEXPECTED_ANSWER)
    assert (seen.why or "").startswith(
        "kube-router is here to enforce NetworkPolicies, and guarded-1 answered"
    )


def test_a_denial_counts_only_beside_who_is_let_in_to_the_same_pod() -> None:
    seen = results(Lies(silent={GUARDED}), f"{DENIED} {ALLOWED}")
    assert seen[ALLOWED].verdict is F
    assert (seen[DENIED].verdict, seen[DENIED].failure) == (I, Failure.CONTROL_FAILED)
    server = results(Lies(silent={atlas.PODS["server-1"][2]}), DENIED)[DENIED]
    assert (server.verdict, server.failure) == (I, Failure.CONTROL_FAILED)


def denied(view: View, *passages: Passage) -> Finding:
    """The judgement of a client that was refused, with what the nodes named of its packets."""
    step = step_of(DENIED)
    refused = Answer("n", {"exitcode": 7, "local_port": 0, "time_total": 0.002})
    return step.probe.check.judge(Observation(step, view, answers=(refused,), passages=passages))


CLIENT = f"{atlas.PODS['client-a'][2]}:40000"
REASON = '-m comment --comment "rule to REJECT traffic destined for POD name:guarded-1" -j REJECT'
BY_ENGINE = rule(REASON, "DROP", "filter/KUBE-POD-FW-5PDDOVLLBCD4U43N", 7)
BY_ANOTHER = rule("-d 10.244.1.16/32 -j DROP", "DROP")


def test_the_rule_that_ended_it_is_the_reason_of_a_denial() -> None:
    met = way(BY_ENGINE, src=CLIENT, dst=f"{GUARDED}:80")
    seen = denied(KUBE_ROUTER, way(BY_ANOTHER, src="10.244.9.9:1", dst=f"{GUARDED}:80"), met)
    assert seen.verdict is P and seen.why.startswith(
        "NetworkPolicy guarded holds (enforced by kube-router; worker-a, "
        f"filter/KUBE-POD-FW-5PDDOVLLBCD4U43N rule 7: {REASON}): client-a/client could not connect to "
    )
    bare = denied(atlas.view(), way(BY_ANOTHER, src=CLIENT, dst=f"{GUARDED}:80"))
    assert (
        bare.verdict is P and "(by whom its Pods do not tell; worker-a, filter/FORWARD rule 1: " in bare.why
    )
    assert denied(KUBE_ROUTER).why.startswith("NetworkPolicy guarded holds (enforced by kube-router): ")
    assert "; " not in denied(enforcing({"k8s-app": "cilium"})).why.partition("): ")[0]


def test_what_another_rule_ended_shows_nothing_of_the_engine() -> None:
    seen = denied(KUBE_ROUTER, way(BY_ANOTHER, src=CLIENT, dst=f"{GUARDED}:80"))
    assert (seen.verdict, seen.failure) == (I, Failure.NO_EVIDENCE)
    assert seen.why.startswith("no rule of kube-router's ended it, ")


@pytest.mark.parametrize(
    ("lies", "failure", "told"),
    [
        (Lies(status={GUARDED: 500}), Failure.NO_EVIDENCE, "HTTP status 500"),
        (Lies(headers={HEADER_NONCE: "K8.0.0"}), Failure.NO_EVIDENCE, "the nonce K8.0.0"),
    ],
)
def test_a_connection_that_no_policy_would_allow_is_neither(lies: Lies, failure: Failure, told: str) -> None:
    seen = results(lies, DENIED)[DENIED]
    assert (seen.verdict, seen.failure) == (I, failure) and told in (seen.why or "")


MS = 1_000_000
OLD_UNTIL_30 = [(10 * MS, False), (20 * MS, True), (30 * MS, False), (40 * MS, True), (50 * MS, True)]


def test_a_change_is_followed_from_the_first_attempt_on_that_nothing_contradicts() -> None:
    assert change(OLD_UNTIL_30, True, 5 * MS) == Change(35.0, astray=1)
    assert change(OLD_UNTIL_30[3:], True, 5 * MS) == Change(35.0)
    once_more = [
        *OLD_UNTIL_30,
        (60 * MS, False),  # the old outcome, after the node was taken to have followed
    ]
    assert change(once_more, True, 5 * MS) == Change(55.0, astray=3)
    assert within(OLD_UNTIL_30, 20 * MS, 40 * MS) == OLD_UNTIL_30[1:3]


def test_what_is_to_be_denied_again_afterwards_is_never_replayed() -> None:
    """It would be denied, as it should, and the rule or the policy that denies it called the cause."""
    assert step_of("K8-follows", KUBE_ROUTER).work == Work()


def test_the_time_to_enforce_is_told_by_node_and_a_jumping_clock_tells_nothing() -> None:
    def judged(facts: Followed, view: View = KUBE_ROUTER) -> Finding:
        step = step_of("K8-follows", view)
        return step.probe.check.judge(Observation(step, view, facts=facts))

    both = Followed({"a": Change(120.4), "b": Change(90)}, {"a": Change(800, astray=2)}, 77)
    assert judged(both).why == (
        "kube-router let the client in after 120 ms on a, after 90 ms on b and denied it after 800 ms on a "
        "(2 times before that, in between) (77 connections)"
    )
    late = judged(Followed(problem="gave up after 30 s waiting for the Pod on a to be closed"))
    assert (late.verdict, late.failure) == (F, Failure.NOT_FOLLOWED)
    assert judged(dataclasses.replace(both, closed={"a": Change(-3)})).verdict is I
    clocks = dataclasses.replace(KUBE_ROUTER, clocks="the nodes go by another clock")
    assert "no delay is told" in judged(both, clocks).why


@pytest.mark.parametrize(
    ("view", "there", "told"),
    [
        (atlas.view(), False, "enforced by nobody"),
        (KUBE_ROUTER, True, "kube-router, on every node"),
        (enforcing({"k8s-app": "kube-router"}, ready=False), False, "kube-router, none ready on control, "),
        (enforcing({"k8s-app": "calico-node"}, {"k8s-app": "cilium"}), True, "Calico, Cilium, on every node"),
    ],
)
def test_the_engine_is_a_feature_of_the_cluster(view: View, there: bool, told: str) -> None:
    (found,) = (one for one in features_of(view) if one.name == "NetworkPolicy engine")
    assert found.there is there and told in found.reason
