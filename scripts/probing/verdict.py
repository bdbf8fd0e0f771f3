"""The verdict on a probe: one of four words, why it failed, and a sentence to act on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a probe ends with."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


class Failure(StrEnum):
    """What kind of thing went wrong: the same word for the same cause, in every report."""

    WRONG_RESPONDER = "wrong-responder"
    WRONG_SOURCE = "wrong-source"
    WRONG_NONCE = "wrong-nonce"
    WRONG_STATUS = "wrong-status"
    WRONG_ADDRESS = "wrong-address"
    WRONG_NAMESPACE = "wrong-namespace"
    REFUSED = "refused"
    TIMED_OUT = "timed-out"
    NO_ANSWER = "no-answer"
    NAME_UNKNOWN = "name-unknown"
    UNEXPECTED_ANSWER = "unexpected-answer"
    NOT_BALANCED = "not-balanced"
    NAT_FOUND = "nat-found"
    NO_TRANSLATION = "no-translation"
    PORT_FREE = "port-free"
    POD_REPLACED = "pod-replaced"
    NOT_REPLACED = "not-replaced"
    NOT_FOLLOWED = "not-followed"
    WRONG_SHARE = "wrong-share"
    WRONG_MODE = "wrong-mode"
    WRONG_PATH = "wrong-path"
    TABLES_DIFFER = "tables-differ"
    RULES_CHANGED = "rules-changed"
    ENDPOINTS_CHANGED = "endpoints-changed"
    BROKEN_CHAIN = "broken-chain"
    NO_VETH = "no-veth"
    NO_BRIDGE = "no-bridge"
    NO_VARIABLES = "no-variables"
    MISSING_PEER = "missing-peer"
    LOST_EXIT_CODE = "lost-exit-code"
    TRANSPORT = "transport"
    CONTROL_FAILED = "control-failed"
    NO_EVIDENCE = "no-evidence"
    NO_JUDGE = "no-judge"


@dataclass(frozen=True)
class Finding:
    """What one expectation came to. ``why`` says what was measured when it passed, and may be empty then."""

    verdict: Verdict
    failure: Failure | None = None
    why: str = ""


PASSED = Finding(Verdict.PASSED)


def passed(told: str) -> Finding:
    """The expectation holds, with these figures."""
    return Finding(Verdict.PASSED, None, told)


def failed(failure: Failure, why: str) -> Finding:
    """The observation contradicts the expectation."""
    return Finding(Verdict.FAILED, failure, why)


def inconclusive(failure: Failure, why: str) -> Finding:
    """Nothing that can be believed was observed."""
    return Finding(Verdict.INCONCLUSIVE, failure, why)


def skipped(why: str) -> Finding:
    """This cluster has no such thing."""
    return Finding(Verdict.SKIPPED, None, why)


_WORST_FIRST = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.SKIPPED)


def combined(findings: Iterable[Finding]) -> Finding:
    """The first of the worst: one failure fails, one doubt leaves it open. Nothing is never green."""
    told = list(findings)
    for verdict in _WORST_FIRST:
        for finding in told:
            if finding.verdict is verdict:
                return finding
    if not told:
        return inconclusive(Failure.NO_JUDGE, "the probe expects nothing")
    return next((finding for finding in told if finding.why), PASSED)


@dataclass(frozen=True)
class Receipt:
    """The evidence of one probe: four views, kept raw. ``gaps`` tells which view is missing, and why."""

    client: Sequence[Any] = ()
    server: Sequence[dict[str, str]] = ()
    kernel: Sequence[str] = ()
    api: dict[str, Any] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A probe's verdict with all that speaks for it."""

    id: str
    claim: str
    lab: str
    sentence: str
    finding: Finding
    receipt: Receipt = Receipt()
    command: str = ""
    refutes: str = ""
    """What is true instead of a part of the claim, if this probe passes; empty for most probes."""

    @property
    def verdict(self) -> Verdict:
        """The one word."""
        return self.finding.verdict


class ClaimVerdict(StrEnum):
    """What a claim ends as."""

    PROVEN = "proven"
    REFUTED = "refuted"
    NOT_APPLICABLE = "not applicable"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class ClaimResult:
    """What a claim ends as, and in words why it is not simply proven."""

    verdict: ClaimVerdict
    told: str = ""


def claim_result(results: Sequence[Result]) -> ClaimResult:
    """A claim's end out of its probes: all must hold; skipped ones do not count unless all are.

    A passed probe that refutes a part of the claim refutes it, with what is true instead; one that failed
    says nothing against the claim.
    """
    counted = [
        result
        for result in results
        if result.verdict is not Verdict.SKIPPED and not (result.refutes and result.verdict is Verdict.FAILED)
    ]
    if not counted:
        return ClaimResult(ClaimVerdict.NOT_APPLICABLE, results[0].finding.why if results else "")
    for verdict, end in (
        (Verdict.FAILED, ClaimVerdict.REFUTED),
        (Verdict.INCONCLUSIVE, ClaimVerdict.INCONCLUSIVE),
    ):
        for result in counted:
            if result.verdict is verdict:
                return ClaimResult(end, f"{result.id}: {result.finding.why}")
    instead = [result.refutes for result in counted if result.refutes]
    return (
        ClaimResult(ClaimVerdict.REFUTED, "; ".join(instead)) if instead else ClaimResult(ClaimVerdict.PROVEN)
    )
