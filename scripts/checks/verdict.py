"""The verdict on a probe: one of four words, why it failed, and a sentence to act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of a probe."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


class Failure(StrEnum):
    """What kind of thing went wrong: the same word for the same failure in every report."""

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
    NO_DNS = "no-dns-answer"
    UNEXPECTED_ANSWER = "unexpected-answer"
    NOT_BALANCED = "not-balanced"
    NOT_KEPT = "not-kept"
    SIZE_LOST = "size-lost"
    PACKETS_LOST = "packets-lost"
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
    NOT_FENCED = "not-fenced"
    NO_VETH = "no-veth"
    NO_BRIDGE = "no-bridge"
    NO_VARIABLES = "no-variables"
    MISSING_PEER = "missing-peer"
    NODE_DOWN = "node-down"
    RESTS_ON = "rests-on"
    LOST_EXIT_CODE = "lost-exit-code"
    TRANSPORT = "transport"
    CONTROL_FAILED = "control-failed"
    NO_EVIDENCE = "no-evidence"
    NO_JUDGE = "no-judge"


@dataclass(frozen=True)
class Finding:
    """The outcome of one expectation. ``why`` says what was measured if it passed, and may be empty then."""

    verdict: Verdict
    failure: Failure | None = None
    why: str = ""


PASSED = Finding(Verdict.PASSED)


def passed(why: str) -> Finding:
    """The expectation holds, with these figures."""
    return Finding(Verdict.PASSED, None, why)


def failed(failure: Failure, why: str) -> Finding:
    """The observation contradicts the expectation."""
    return Finding(Verdict.FAILED, failure, why)


def inconclusive(failure: Failure, why: str) -> Finding:
    """Nothing credible was observed."""
    return Finding(Verdict.INCONCLUSIVE, failure, why)


def skipped(why: str) -> Finding:
    """This cluster has no such thing."""
    return Finding(Verdict.SKIPPED, None, why)


_WORST_FIRST = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.SKIPPED)


def combined(findings: Iterable[Finding]) -> Finding:
    """The first of the worst: one failure fails, one doubt is inconclusive. Nothing never passes."""
    every = list(findings)
    for verdict in _WORST_FIRST:
        for finding in every:
            if finding.verdict is verdict:
                return finding
    if not every:
        return inconclusive(Failure.NO_JUDGE, "the probe expects nothing")
    return next((finding for finding in every if finding.why), PASSED)
