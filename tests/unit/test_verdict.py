"""A whole run against the honest cluster, and how findings become verdicts and claims."""

from __future__ import annotations

import dataclasses

import pytest

from labs import LABS, model
from scripts.probing.events import RunFinished
from scripts.probing.judges import judge
from scripts.probing.runner import run
from scripts.probing.verdict import (
    PASSED,
    ClaimVerdict,
    Failure,
    Result,
    Verdict,
    claim_result,
    combined,
    failed,
    inconclusive,
    skipped,
)
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, F, I, P, S, results, wanted
from tests.unit.world import World

LAB = "pod-to-service"
REFUTED = {"S9", "E3", "E5"}


@pytest.fixture(scope="module")
def honest() -> RunFinished:
    made = World()
    return run(EVERY, atlas.view(), made, made)


def test_an_honest_cluster_passes_every_probe_of_every_lab(honest: RunFinished) -> None:
    assert {r.id: r.finding for r in honest.results if r.verdict is not P} == {}
    assert [r.id for r in honest.results] == [probe.id for _, probe in EVERY]
    assert {r.lab for r in honest.results} == {*LABS}


def test_every_receipt_has_its_views(honest: RunFinished) -> None:
    seen = {result.id: result.receipt for result in honest.results}
    assert not any(receipt.gaps for receipt in seen.values())
    service = seen["S6-1-80"]
    assert service.client[0]["remote_ip"] == atlas.CLUSTER_IP
    assert service.server[0][model.HEADER_CONTAINER] == "nginx"
    own = next(line for line in service.kernel if line.startswith("worker-a: ipv4"))
    assert f"dst={atlas.CLUSTER_IP}" in own
    assert len(service.api["endpoints"]) == 3
    assert seen["C2-app"].kernel == ["worker-a: no such connection was tracked"]
    assert seen["S1"].kernel and seen["S1"].api["clusterIP after"] == atlas.CLUSTER_IP
    assert any(line.startswith("gateway") or "gateway eth1" in line for line in seen["E2-gateway"].kernel)
    both = {line.split(":")[0] for line in seen["P1-client-1-rest"].kernel}
    assert both == {"worker-a"}, "one node, one entry"
    across = {line.split(":")[0] for line in seen["P1-client-2-rest"].kernel}
    assert across == {"worker-a", "worker-b"}, "both nodes' kernels tell of it"


def test_claims_that_are_refuted_say_what_is_true_instead(honest: RunFinished) -> None:
    ends = {id: claim.verdict for id, claim in honest.claims.items()}
    assert {id for id, end in ends.items() if end is not ClaimVerdict.PROVEN} == REFUTED
    assert {ends[id] for id in REFUTED} == {ClaimVerdict.REFUTED}
    assert "every node of the cluster can" in honest.claims["E5"].told
    assert "source-NATed here too" in honest.claims["E3"].told
    assert all(honest.claims[id].told == "" for id in ends if id not in REFUTED)


def test_a_finished_run_tells_its_claims() -> None:
    made = World(Lies(only="frontend-1"))
    finished = run(wanted("S2-1 S6-1-80"), atlas.view(), made, made)
    assert finished.claims["S2"].verdict is ClaimVerdict.REFUTED
    assert finished.claims["S6"].verdict is ClaimVerdict.PROVEN


def test_missing_evidence_leaves_a_gap_with_its_reason() -> None:
    receipt = results(Lies(agents_down=True), "C2-app")["C2-app"].receipt
    assert receipt.gaps == {"kernel": "error dialing backend: EOF"}


def test_an_expectation_without_a_judge_is_never_green() -> None:
    @dataclasses.dataclass(frozen=True)
    class Novel:
        pass

    probe = model.Probe("X", "P1", model.Client(), model.Get(model.Localhost(80)), (Novel(),))  # type: ignore[arg-type]
    made = World()
    (result,) = run([(LAB, probe)], atlas.view(), made, made).results
    assert (result.verdict, result.finding.failure) == (I, Failure.NO_JUDGE)
    empty = dataclasses.replace(probe, expect=())
    assert run([(LAB, empty)], atlas.view(), made, made).results[0].verdict is I


def test_every_expectation_of_the_model_has_a_judge() -> None:
    for kind in model.Expectation.__args__:
        assert judge.dispatch(kind) is not judge.dispatch(object), kind


def test_every_expectation_of_the_model_is_used_by_a_probe() -> None:
    used = {type(expected) for _, probe in EVERY for expected in probe.expect}
    assert {*model.Expectation.__args__} - used <= {model.Refused}


def test_the_worst_finding_wins() -> None:
    bad, open_ = failed(Failure.REFUSED, "x"), inconclusive(Failure.TRANSPORT, "y")
    assert combined([PASSED, open_, bad]) is bad
    assert combined([PASSED, open_]) is open_
    assert combined([PASSED]) is PASSED
    assert combined([PASSED, skipped("z")]).verdict is S
    assert combined([]).verdict is I


def result(verdict: Verdict, number: int = 0, instead: str = "") -> Result:
    found = {
        P: PASSED,
        F: failed(Failure.REFUSED, f"red {number}"),
        I: inconclusive(Failure.TRANSPORT, f"open {number}"),
        S: skipped(f"not here {number}"),
    }
    return Result(f"X{number}", "C1", "lab", "s", found[verdict], refutes=instead)


@pytest.mark.parametrize(
    ("verdicts", "claim", "told"),
    [
        ([P, P], ClaimVerdict.PROVEN, ""),
        ([P, S], ClaimVerdict.PROVEN, ""),
        ([P, I, F], ClaimVerdict.REFUTED, "X2: red 2"),
        ([F, F], ClaimVerdict.REFUTED, "X0: red 0"),
        ([P, I, S], ClaimVerdict.INCONCLUSIVE, "X1: open 1"),
        ([S, S], ClaimVerdict.NOT_APPLICABLE, "not here 0"),
        ([], ClaimVerdict.NOT_APPLICABLE, ""),
    ],
)
def test_claims_conjoin_their_probes(verdicts: list[Verdict], claim: ClaimVerdict, told: str) -> None:
    end = claim_result([result(verdict, number) for number, verdict in enumerate(verdicts)])
    assert (end.verdict, end.told) == (claim, told)


def test_a_passed_probe_can_refute_a_part_of_its_claim() -> None:
    parts = [result(P), result(P, 1, "it is so"), result(P, 2, "and so")]
    assert claim_result(parts).verdict is ClaimVerdict.REFUTED
    assert claim_result(parts).told == "it is so; and so"
    assert claim_result([*parts, result(I, 3)]).verdict is ClaimVerdict.INCONCLUSIVE
    assert claim_result([*parts, result(F, 3)]).told == "X3: red 3"


def test_a_refuting_probe_that_was_skipped_refutes_nothing() -> None:
    assert claim_result([result(P), result(S, 1, "it is so")]).verdict is ClaimVerdict.PROVEN
