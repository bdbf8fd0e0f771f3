"""A whole run against the made-up cluster: truthful, everything passes; each lie turns exact probes red."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs import LABS, model, probes_of
from scripts.probing import scenario
from scripts.probing.chance import evenness, survival
from scripts.probing.events import RunFinished
from scripts.probing.judges import even, judge
from scripts.probing.runner import run
from scripts.probing.verdict import (
    PASSED,
    ClaimVerdict,
    Failure,
    Result,
    Verdict,
    claim_verdict,
    combined,
    failed,
    inconclusive,
    skipped,
)
from scripts.waiting import Timeouts
from tests.unit import world
from tests.unit.world import Lies, World

EVERY = [(lab, probe) for lab in LABS for probe in probes_of(lab)]
P, F, I, S = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.SKIPPED  # noqa: E741


def results(lies: Lies | None = None, only: str = "") -> dict[str, Result]:
    probes = [(lab, probe) for lab, probe in EVERY if not only or probe.id in only.split()]
    made = World(lies)
    return {result.id: result for result in run(probes, world.view(), made, made).results}


def test_a_truthful_cluster_passes_everything() -> None:
    seen = results()
    assert {id: r.finding for id, r in seen.items() if r.verdict is not P} == {}
    assert [*seen] == [probe.id for _, probe in EVERY]


def test_every_receipt_has_its_views() -> None:
    seen = results()
    service = seen["S6-1-80"].receipt
    assert service.client[0]["remote_ip"] == world.CLUSTER_IP
    assert service.server[0][model.HEADER_CONTAINER] == "nginx"
    own = next(line for line in service.kernel if line.startswith("worker-a: ipv4"))
    assert f"dst={world.CLUSTER_IP}" in own
    assert len(service.api["endpoints"]) == 3
    assert len(seen["S2"].receipt.client) == 300
    assert seen["C2-app"].receipt.kernel == ["worker-a: no such connection was tracked"]
    assert seen["S1"].receipt.kernel and seen["S1"].receipt.api["clusterIP after"] == world.CLUSTER_IP
    assert not any(result.receipt.gaps for result in seen.values())


NONCE = {model.HEADER_NONCE: "C1.00000000.0"}


@pytest.mark.parametrize(
    ("lies", "probe", "verdict", "failure"),
    [
        (Lies(responder={"10.244.1.3": "frontend-2"}), "P1-1-same", F, Failure.WRONG_RESPONDER),
        (Lies(headers={model.HEADER_POD: "stranger"}), "C2-app", F, Failure.WRONG_RESPONDER),
        (Lies(headers={model.HEADER_POD: ""}), "I2-80", F, Failure.WRONG_RESPONDER),
        (Lies(headers={model.HEADER_NODE: "worker-z"}), "S6-1-80", F, Failure.WRONG_RESPONDER),
        (Lies(headers={model.HEADER_CONTAINER: "nginx"}), "S6-1-8080", F, Failure.WRONG_RESPONDER),
        (Lies(headers=NONCE), "C2-pod", F, Failure.WRONG_NONCE),
        (Lies(headers=NONCE), "S2", F, Failure.WRONG_NONCE),
        (Lies(headers={model.HEADER_NONCE: ""}), "I7-shop", F, Failure.WRONG_NONCE),
        (Lies(headers={model.HEADER_PEER: "10.244.2.1:40001"}), "P1-1-other", F, Failure.WRONG_SOURCE),
        (Lies(headers={model.HEADER_PEER: "127.0.0.1:1"}), "C2-app", F, Failure.WRONG_SOURCE),
        (Lies(headers={model.HEADER_UPSTREAM_PEER: "10.244.1.2:9"}), "C2-pod", F, Failure.WRONG_SOURCE),
        (Lies(headers={model.HEADER_UPSTREAM_PEER: ""}), "C2-proxy", F, Failure.WRONG_SOURCE),
        (Lies(responder={world.INGRESS_IP: "blog-1"}), "I7-shop", F, Failure.WRONG_RESPONDER),
        (Lies(responder={world.INGRESS_IP: "blog-1"}), "I7-blog", P, None),
        (Lies(everything_routed=True), "I9-host", F, Failure.WRONG_RESPONDER),
        (Lies(everything_routed=True), "I9-path", F, Failure.WRONG_RESPONDER),
        (Lies(open={("10.244.1.2", 80)}), "C4-pod-80", F, Failure.UNEXPECTED_ANSWER),
        (Lies(open={("172.18.0.2", 8080)}), "C4-node-1-8080", F, Failure.UNEXPECTED_ANSWER),
        (Lies(open={("172.18.0.2", 8080)}), "C4-node-2-8080", P, None),
        (Lies(open={(world.CLUSTER_IP, 81)}), "F1-1", F, Failure.UNEXPECTED_ANSWER),
        (Lies(silent={world.CLUSTER_IP}), "F1-1", I, Failure.CONTROL_FAILED),
        (Lies(silent={world.CLUSTER_IP}), "S6-1-80", F, Failure.REFUSED),
        (Lies(silent={world.CLUSTER_IP}), "S8-unknown", I, Failure.CONTROL_FAILED),
        (Lies(silent={"172.18.0.2"}), "C4-node-1-80", I, Failure.CONTROL_FAILED),
        (Lies(silent={"172.18.0.2"}), "C4-node-2-80", P, None),
        (Lies(silent={"10.244.1.2"}), "C4-pod-80", I, Failure.CONTROL_FAILED),
        (Lies(only="frontend-1"), "S2", F, Failure.NOT_BALANCED),
        (Lies(only="frontend-1"), "S6-1-80", P, None),
        (Lies(only="peer-0"), "S6-1-80", F, Failure.WRONG_RESPONDER),
        (Lies(untranslated=True), "S6-1-80", F, Failure.NO_TRANSLATION),
        (Lies(untracked=True), "S6-1-80", F, Failure.NO_TRANSLATION),
        (Lies(untracked=True), "P1-1-other", I, Failure.NO_EVIDENCE),
        (Lies(listener=f"{world.CLUSTER_IP}:80"), "S6-1-80", F, Failure.UNEXPECTED_ANSWER),
        (Lies(listener="0.0.0.0:80"), "S6-1-80", P, None),
        (Lies(agents_down=True), "S6-1-80", I, Failure.NO_EVIDENCE),
        (Lies(agents_down=True), "S2", P, None),
        (Lies(agents_down=True), "C2-app", P, None),
        (Lies(lost={"webapp"}), "C2-proxy", I, Failure.TRANSPORT),
        (Lies(lost={"webapp"}), "C1", I, Failure.TRANSPORT),
        (Lies(dropped="S2."), "S2", I, Failure.LOST_EXIT_CODE),
        (Lies(dropped="F1-1."), "F1-1", I, Failure.LOST_EXIT_CODE),
        (Lies(names={f"peer.{world.SERVICE_NS}.svc.cluster.local": "10.244.1.5"}), "S8-headless", F,
         Failure.WRONG_ADDRESS),
        (Lies(names={f"peer-0.peer.{world.SERVICE_NS}.svc.cluster.local": "10.244.2.5"}), "S8-pods", F,
         Failure.WRONG_ADDRESS),
        (Lies(names={f"frontend.{world.SERVICE_NS}.svc.cluster.local": ""}), "S8-service", F,
         Failure.NAME_UNKNOWN),
        (Lies(bind="8080 ok\n18080 ok\n"), "C3", F, Failure.PORT_FREE),
        (Lies(bind="8080 Address already in use\n18080 Permission denied\n"), "C3", I, Failure.CONTROL_FAILED),  # noqa: E501
        (Lies(bind="8080 Permission denied\n18080 ok\n"), "C3", I, Failure.NO_ANSWER),
        (Lies(bind="perl: not found\n"), "C3", I, Failure.NO_ANSWER),
        (Lies(inode={"frontend/webapp": 7}), "C1", F, Failure.WRONG_NAMESPACE),
        (Lies(inode={"frontend/nginx": 7, "frontend/webapp": 7, "client-a/client": 7}), "C1", I,
         Failure.CONTROL_FAILED),
        (Lies(clusterip_after="10.96.0.81"), "S1", F, Failure.WRONG_ADDRESS),
    ],
)  # fmt: skip
def test_each_lie_is_noticed(lies: Lies, probe: str, verdict: Verdict, failure: Failure | None) -> None:
    patient = " ".join(
        one.id for _, one in EVERY if one.id == probe or one.id != "S1"
    )  # S1 waits for its luck
    finding = results(lies, patient)[probe].finding
    assert (finding.verdict, finding.failure) == (verdict, failure), finding
    assert bool(finding.why) == (verdict is not P)


@pytest.mark.parametrize("only", ["frontend-2", ""])
def test_a_pod_that_is_not_replaced_in_time_is_a_failure(only: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "TIMEOUTS", Timeouts(replace=0.2))
    finding = results(Lies(only=only, never_replaced=not only), "S1")["S1"].finding
    assert (finding.verdict, finding.failure) == (F, Failure.NOT_REPLACED)
    assert "in vain" in finding.why


def test_missing_evidence_leaves_a_gap_with_its_reason() -> None:
    receipt = results(Lies(agents_down=True), "S2")["S2"].receipt
    assert receipt.gaps == {"kernel": "error dialing backend: EOF"}


def test_scenarios_run_last_and_alone() -> None:
    made = World()
    run(EVERY, world.view(), made, made)
    assert made.deleted == [f"/api/v1/namespaces/{world.SERVICE_NS}/pods/frontend-1"]
    assert made.execs.count("client-a/client curl") == 2 and made.execs[-4] == "client-a/client curl"


def test_an_expectation_without_a_judge_is_never_green() -> None:
    @dataclasses.dataclass(frozen=True)
    class Novel:
        pass

    probe = model.Probe("X", "P1", model.Client(), model.Get(model.Localhost(80)), (Novel(),))  # type: ignore[arg-type]
    made = World()
    (result,) = run([("pod-to-service", probe)], world.view(), made, made).results
    assert (result.verdict, result.finding.failure) == (I, Failure.NO_JUDGE)
    empty = dataclasses.replace(probe, expect=())
    assert run([("pod-to-service", empty)], world.view(), made, made).results[0].verdict is I


def test_every_expectation_of_the_model_has_a_judge() -> None:
    for kind in model.Expectation.__args__:
        assert judge.dispatch(kind) is not judge.dispatch(object), kind


def test_a_control_that_did_not_run_is_no_control() -> None:
    finding = results(only="F1-1")["F1-1"].finding
    assert (finding.verdict, finding.failure) == (I, Failure.CONTROL_FAILED)


def test_the_worst_finding_wins() -> None:
    bad, open_ = failed(Failure.REFUSED, "x"), inconclusive(Failure.TRANSPORT, "y")
    assert combined([PASSED, open_, bad]) is bad
    assert combined([PASSED, open_]) is open_
    assert combined([PASSED]) is PASSED
    assert combined([PASSED, skipped("z")]).verdict is S
    assert combined([]).verdict is I


@pytest.mark.parametrize(
    ("verdicts", "claim"),
    [
        ([P, P], ClaimVerdict.PROVEN),
        ([P, S], ClaimVerdict.PROVEN),
        ([P, I, F], ClaimVerdict.REFUTED),
        ([P, I], ClaimVerdict.INCONCLUSIVE),
        ([S, S], ClaimVerdict.NOT_APPLICABLE),
    ],
)
def test_claims_conjoin_their_probes(verdicts: list[Verdict], claim: ClaimVerdict) -> None:
    assert claim_verdict(verdicts) is claim


def test_a_finished_run_tells_its_claims() -> None:
    made = World(Lies(only="frontend-1"))
    probes = [pair for pair in EVERY if pair[1].id != "S1"]
    finished: RunFinished = run(probes, world.view(), made, made)
    assert finished.claims["S2"] is ClaimVerdict.REFUTED
    assert finished.claims["S6"] is ClaimVerdict.PROVEN


# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4: upper critical values
@pytest.mark.parametrize(
    ("degrees", "chance", "critical"),
    [
        (1, 0.05, 3.841), (1, 0.001, 10.828), (2, 0.05, 5.991), (2, 0.001, 13.816), (3, 0.01, 11.345),
        (4, 0.10, 7.779), (5, 0.025, 12.833), (9, 0.05, 16.919), (10, 0.001, 29.588), (50, 0.05, 67.505),
        (99, 0.01, 134.642), (100, 0.05, 124.342),
    ],
)  # fmt: skip
def test_survival_against_the_table(degrees: int, chance: float, critical: float) -> None:
    assert survival(critical, degrees) == pytest.approx(chance, rel=0.003)


def test_survival_at_its_ends() -> None:
    assert survival(0, 3) == 1
    assert survival(5000, 3) < 1e-300 or math.isclose(survival(5000, 3), 0)
    with pytest.raises(ValueError, match="positive"):
        survival(1, 0)


@given(st.floats(0, 300), st.integers(1, 60))
def test_survival_is_a_falling_probability(x: float, degrees: int) -> None:
    assert 0 <= survival(x + 1, degrees) <= survival(x, degrees) + 1e-12 and survival(x, degrees) <= 1


def test_evenness_judges_counts() -> None:
    assert evenness([100, 100, 100]) == 1
    assert even({"a": 108, "b": 95, "c": 97}, 0.001) == PASSED
    assert even({"a": 300, "b": 0, "c": 0}, 0.001).failure is Failure.NOT_BALANCED
    assert even({"a": 150, "b": 80, "c": 70}, 0.001).failure is Failure.NOT_BALANCED
    assert even({"a": 4, "b": 5, "c": 5}, 0.001).verdict is I
    assert even({"a": 300}, 0.001).verdict is I
