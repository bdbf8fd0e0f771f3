"""Words and signs of the report, the same in every part of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scripts.checks.verdict import Verdict
from scripts.runs.claims import ClaimVerdict
from scripts.runs.document import CauseRecord, Run

UNJUDGED = "not judged"
SIGNS: dict[str, str] = {
    Verdict.PASSED: "✓",
    Verdict.FAILED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.SKIPPED: "–",
    UNJUDGED: "○",
    ClaimVerdict.PROVEN: "✓",
    ClaimVerdict.REFUTED: "≠",
    ClaimVerdict.NOT_APPLICABLE: "–",
}
TONES: dict[str, str] = {
    Verdict.PASSED: "good",
    Verdict.FAILED: "bad",
    Verdict.INCONCLUSIVE: "open",
    ClaimVerdict.PROVEN: "good",
    ClaimVerdict.REFUTED: "instead",
}
RED = (Verdict.FAILED, Verdict.INCONCLUSIVE)


def sign(verdict: str) -> str:
    """The sign of a verdict on a probe or a claim."""
    return SIGNS.get(verdict, "?")


def tone(verdict: str) -> str:
    """The style of a verdict; it is never the only thing that tells one."""
    return TONES.get(verdict, "none")


def many(count: int, what: str) -> str:
    """A number of things."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def headline(run: Run) -> str:
    """What a reader should know first, in one or two sentences."""
    counts = Counter(probe.verdict for probe in run.probes)
    red = counts[Verdict.FAILED] + counts[Verdict.INCONCLUSIVE]
    parts = []
    if not run.complete:
        total = len(run.probes) + len(run.unjudged)
        parts.append(f"This run was cut short: {len(run.probes):,} of {many(total, 'probe')} were judged.")
    if red:
        each = [
            f"{counts[v]:,} {'failed' if v is Verdict.FAILED else 'could not be judged'}"
            for v in RED
            if counts[v]
        ]
        parts.append(f"Of {many(len(run.probes), 'probe')} {' and '.join(each)}.")
        parts.append(_explained(run.causes, red, [p.id for p in run.probes if p.verdict in RED]))
    elif counts[Verdict.PASSED]:
        skipped = counts[Verdict.SKIPPED]
        every = f"{many(counts[Verdict.PASSED], 'probe')} passed{f', {skipped} skipped' if skipped else ''}"
        ends = Counter(claim.verdict for claim in run.claims)
        claims = ", ".join(f"{ends[verdict]} {verdict}" for verdict in ClaimVerdict if ends[verdict])
        parts.append(f"{every}; of {many(len(run.claims), 'claim')} {claims}.")
    return " ".join(filter(None, parts)) or "No probe was asked."


def _explained(causes: Sequence[CauseRecord], red: int, ids: Sequence[str]) -> str:
    real = [cause for cause in causes if not cause.warning]
    explained = {id for cause in real for id in cause.explains} & {*ids}
    if not real:
        return ""
    verb = "explains" if len(real) == 1 else "explain"
    return f"{many(len(real), 'cause')} {verb} {'all' if len(explained) == red else len(explained)} of them."
