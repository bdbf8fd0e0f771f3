"""The verdict on a claim, from its probes' verdicts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from scripts.checks.verdict import Verdict


class ClaimVerdict(StrEnum):
    """The verdict on a claim."""

    PROVEN = "proven"
    REFUTED = "refuted"
    NOT_APPLICABLE = "not applicable"
    NOT_JUDGED = "not judged"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on a claim, and in words why it is not simply proven."""

    verdict: ClaimVerdict
    told: str = ""


class Judged(Protocol):
    """A probe with its verdict."""

    @property
    def id(self) -> str:
        """The probe's id."""
        ...

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""
        ...

    @property
    def why(self) -> str | None:
        """Why, or what was measured."""
        ...

    @property
    def refutes(self) -> str:
        """What is true instead of a part of the claim, if it passes."""
        ...


def claim_result(results: Sequence[Judged], carriers: Collection[str] | None = None) -> ClaimResult:
    """The verdict on a claim from the probes that carry it (None: all of ``results`` do).

    All must pass. If a carrier was skipped, the claim applies only in part, or not at all; if one was
    not asked, the claim is not judged, unless another one contradicts it. A passed probe that refutes a
    part of the claim refutes it, with what is true instead; one that failed says nothing against the claim.
    """
    carried = [result for result in results if carriers is None or result.id in carriers]
    counted = [
        result
        for result in carried
        if result.verdict is not Verdict.SKIPPED and not (result.refutes and result.verdict is Verdict.FAILED)
    ]
    for verdict, end in (
        (Verdict.FAILED, ClaimVerdict.REFUTED),
        (Verdict.INCONCLUSIVE, ClaimVerdict.INCONCLUSIVE),
    ):
        for result in counted:
            if result.verdict is verdict:
                return ClaimResult(end, f"{result.id}: {result.why or ''}")
    if unasked := sorted({*(carriers or ())} - {result.id for result in carried}):
        return ClaimResult(ClaimVerdict.NOT_JUDGED, f"not asked: {', '.join(unasked)}")
    skipped = [result for result in carried if result.verdict is Verdict.SKIPPED]
    if not counted:
        return ClaimResult(ClaimVerdict.NOT_APPLICABLE, (skipped[0].why or "") if skipped else "")
    instead = [result.refutes for result in counted if result.refutes]
    if instead:
        return ClaimResult(ClaimVerdict.REFUTED, "; ".join(instead))
    partly = "; ".join(f"not applicable in part: {result.id}: {result.why}" for result in skipped)
    return ClaimResult(ClaimVerdict.PROVEN, partly)
