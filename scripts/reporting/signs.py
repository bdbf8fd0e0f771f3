"""The sign and the colour of each verdict, and sums in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from scripts.checks.verdict import Verdict
from scripts.runs.claims import ClaimVerdict
from scripts.runs.document import ProbeRecord, Run

SIGNS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INCONCLUSIVE: "?", Verdict.SKIPPED: "-"}
COLOURS = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.SKIPPED: "dim",
}
CLAIM_COLOURS = {
    ClaimVerdict.PROVEN: "green",
    ClaimVerdict.REFUTED: "red",
    ClaimVerdict.INCONCLUSIVE: "yellow",
    ClaimVerdict.NOT_JUDGED: "dim",
    ClaimVerdict.NOT_APPLICABLE: "dim",
}
RED = (Verdict.FAILED, Verdict.INCONCLUSIVE)
"""The verdicts that make a run end with exit code 1, the worse one first."""


def worst(probes: Iterable[ProbeRecord]) -> Verdict:
    """The worst verdict of some probes: failed, inconclusive, passed, skipped, in this order."""
    met = {probe.verdict for probe in probes}
    order = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED)
    return next((verdict for verdict in order if verdict in met), Verdict.SKIPPED)


def counted(probes: Iterable[ProbeRecord]) -> str:
    """How many of some probes came to each verdict, in words; "none" for no probes."""
    counts = Counter(probe.verdict for probe in probes)
    return _listed(counts, Verdict) or "none"


def summary(run: Run) -> str:
    """The sums of a run in one line."""
    claims = _listed(Counter(claim.verdict for claim in run.claims), ClaimVerdict) or "none"
    sums = f"{many(len(run.probes), 'probe')}: {counted(run.probes)}; "
    return f"{sums}{many(len(run.claims), 'claim')}: {claims}; {run.seconds:.1f} s"


def many(count: int, what: str) -> str:
    """A number of things: "1 probe", "2 probes"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def by_claim(ids: Iterable[str], probes: Mapping[str, ProbeRecord]) -> str:
    """Probes grouped by claim, such as "P1 (4), S2-1, S7 (2)": a single one of a claim by its own id.

    They come in the order of ``probes`` (by id); ids that are none of these come last.
    """
    wanted = [*ids]
    order = {id: place for place, id in enumerate(probes)}
    grouped: dict[str, list[str]] = {}
    for id in sorted(wanted, key=lambda id: order.get(id, len(order))):
        grouped.setdefault(probes[id].claim if id in probes else id, []).append(id)
    return ", ".join(
        all_[0] if len(all_) == 1 else f"{claim} ({len(all_)})" for claim, all_ in grouped.items()
    )


def _listed(counts: Mapping[Verdict, int] | Mapping[ClaimVerdict, int], order: Iterable[str]) -> str:
    told = {str(verdict): count for verdict, count in counts.items()}
    return ", ".join(f"{told[str(verdict)]} {verdict}" for verdict in order if str(verdict) in told)
