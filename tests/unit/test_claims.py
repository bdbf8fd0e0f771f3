"""What a claim comes to: all its probes must hold, and one that passes can say what is true instead."""

from __future__ import annotations

import pytest

from scripts.checks.verdict import Failure, Verdict
from scripts.runs.claims import ClaimVerdict, claim_result
from scripts.runs.document import ClaimRecord, ProbeRecord
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, S, document

REFUTED = {"S9", "E3", "E5"}


def claims(lies: Lies | None = None, ids: str = "") -> dict[str, ClaimRecord]:
    return {claim.id: claim for claim in document(lies, ids).claims}


def test_claims_that_are_refuted_say_what_is_true_instead() -> None:
    ends = claims()
    assert {id for id, end in ends.items() if end.verdict is not ClaimVerdict.PROVEN} == REFUTED
    assert {ends[id].verdict for id in REFUTED} == {ClaimVerdict.REFUTED}
    assert "every node of the cluster can" in (ends["E5"].told or "")
    assert "source-NATed here too" in (ends["E3"].told or "")
    assert {id for id in ends if ends[id].told} == REFUTED | {"K8"}, "nobody enforces policies there"


def test_a_finished_run_tells_its_claims() -> None:
    ends = claims(Lies(only="frontend-1"), "S2-1 S6-1-80")
    assert ends["S2"].verdict is ClaimVerdict.REFUTED
    assert ends["S6"].verdict is ClaimVerdict.PROVEN


def result(verdict: Verdict, number: int = 0, instead: str = "") -> ProbeRecord:
    why = {P: None, F: f"red {number}", I: f"open {number}", S: f"not here {number}"}[verdict]
    failure = {F: Failure.REFUSED, I: Failure.TRANSPORT}.get(verdict)
    return ProbeRecord(
        id=f"X{number}",
        claim="C1",
        lab="lab",
        sentence="s",
        verdict=verdict,
        failure=failure,
        why=why,
        refutes=instead,
    )


@pytest.mark.parametrize(
    ("verdicts", "claim", "told"),
    [
        ([P, P], ClaimVerdict.PROVEN, ""),
        ([P, S], ClaimVerdict.PROVEN, "not applicable in part: X1: not here 1"),
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


@pytest.mark.parametrize(
    ("verdicts", "claim", "told"),
    [
        ({0: P, 1: P}, ClaimVerdict.PROVEN, ""),
        ({0: P, 1: P, 2: F}, ClaimVerdict.PROVEN, ""),
        ({0: P}, ClaimVerdict.NOT_JUDGED, "not asked: X1"),
        ({2: P}, ClaimVerdict.NOT_JUDGED, "not asked: X0, X1"),
        ({}, ClaimVerdict.NOT_JUDGED, "not asked: X0, X1"),
        ({0: F}, ClaimVerdict.REFUTED, "X0: red 0"),
        ({0: I}, ClaimVerdict.INCONCLUSIVE, "X0: open 0"),
        ({0: S, 1: S, 2: P}, ClaimVerdict.NOT_APPLICABLE, "not here 0"),
        ({0: S, 1: P}, ClaimVerdict.PROVEN, "not applicable in part: X0: not here 0"),
    ],
)
def test_only_what_carries_a_claim_counts(
    verdicts: dict[int, Verdict], claim: ClaimVerdict, told: str
) -> None:
    end = claim_result([result(verdict, number) for number, verdict in verdicts.items()], ("X0", "X1"))
    assert (end.verdict, end.told) == (claim, told)
