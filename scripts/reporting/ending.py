"""The end of a run as a person reads it: what is broken first, then the labs, the claims, and the sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scripts.checks.verdict import Verdict
from scripts.reporting.facts import dropped, facts_of
from scripts.reporting.reds import Group, Reds, headline, reds_of
from scripts.reporting.sheet import Sheet
from scripts.reporting.signs import (
    CLAIM_COLOURS,
    COLOURS,
    RED,
    SIGNS,
    by_claim,
    counted,
    many,
    summary,
    worst,
)
from scripts.runs.claims import ClaimVerdict
from scripts.runs.document import CauseRecord, ClaimRecord, ProbeRecord, Run

ALIKE = 6
"""How many further reasons of one failure class are told; the rest is named."""
WIDE_IDS = 20
"""Columns for the ids beside them."""
ROOM = 90
"""Columns from which there is room for a reason in one line."""


def ending(run: Run, sheet: Sheet, verbose: bool = False) -> None:
    """Prints the end of a run; ``verbose``: the labs' sums are left out, for their probes stand above it."""
    reds = reds_of(run)
    _causes(reds, run, sheet)
    _unexplained(reds, run, sheet)
    if not verbose:
        _labs(run, sheet)
    _claims(run, sheet, verbose)
    _unseen(run, sheet)
    sheet.gap()
    if not run.complete:
        asked = len(run.probes) + len(run.unjudged)
        sheet.line(
            (f"cut short: {len(run.unjudged)} of {many(asked, 'probe')} were not judged", "bold yellow")
        )
    sheet.beside([], summary(run), 0, f"bold {COLOURS[worst(run.probes)]}")


def by_lab(results: Iterable[ProbeRecord]) -> list[tuple[str, list[ProbeRecord]]]:
    """The probes of each lab, in the order of the run."""
    grouped: dict[str, list[ProbeRecord]] = {}
    for result in results:
        grouped.setdefault(result.lab, []).append(result)
    return [*grouped.items()]


def _causes(reds: Reds, run: Run, sheet: Sheet) -> None:
    if reds.causes:
        sheet.gap()
        sheet.line((headline(reds), "bold red"))
        for cause in reds.causes:
            _cause(cause, run, sheet, SIGNS[Verdict.FAILED], "red")
    if reds.warnings:
        sheet.gap()
        sheet.line((many(len(reds.warnings), "warning"), "bold yellow"))
        for cause in reds.warnings:
            _cause(cause, run, sheet, "!", "yellow")


def _cause(cause: CauseRecord, run: Run, sheet: Sheet, sign: str, colour: str) -> None:
    sheet.beside([(f"{sign} ", colour)], cause.what, 2, "bold")
    for line in cause.evidence:
        sheet.beside([], line, 4)
    if cause.explains:
        probes = {probe.id: probe for probe in run.probes}
        sheet.field("explains", by_claim(cause.explains, probes), 4)
    if cause.look:
        sheet.command("look", cause.look, 4)
    if cause.mend:
        sheet.command("mend", cause.mend, 4)


def _unexplained(reds: Reds, run: Run, sheet: Sheet) -> None:
    if not reds.groups:
        return
    sheet.gap()
    counts = ", ".join(
        f"{count} {verdict}"
        for verdict in RED
        if (count := sum(one.verdict is verdict and one.id not in reds.causes_of for one in reds.every))
    )
    told = "no cause was found for these" if reds.causes else "not passed"
    sheet.line((f"{told}: {counts}", "bold red" if "failed" in counts else "bold yellow"))
    for group in reds.groups:
        _group(group, run, sheet)


def _group(group: Group, run: Run, sheet: Sheet) -> None:
    """One probe in full; of the others of the same failure class only their reasons."""
    first, colour = group.first, COLOURS[group.first.verdict]
    more = f" and {group.size - 1} more" if group.others else ""
    head = f"{SIGNS[first.verdict]} {first.id}{more}: {first.failure or first.verdict}"
    sheet.beside([(f"{head}  ", f"bold {colour}")], first.lab, 2, "dim")
    for fact in facts_of(first):
        if fact.command:
            sheet.command(fact.label, fact.text, 4)
        else:
            sheet.field(fact.label, fact.text, 4, colour if fact.text == first.why else "")
    _others(group, run, sheet)


def _others(group: Group, run: Run, sheet: Sheet) -> None:
    """The further probes of a group by their reasons, and the probes whose verdicts follow from the group."""
    probes = {probe.id: probe for probe in run.probes}
    reasons: dict[str, list[str]] = {}
    for probe in group.others:
        reasons.setdefault(_reason(probe), []).append(probe.id)
    if same := reasons.pop(_reason(group.first), []):
        sheet.field("the same", by_claim(same, probes), 4)
    fit = ALIKE if sheet.width is None or sheet.width >= ROOM else 0
    told = {why: by_claim(ids, probes) for why, ids in [*reasons.items()][:fit]}
    wide = min(max(map(len, told.values()), default=0), WIDE_IDS)
    for why, named in told.items():
        if sheet.width is not None and len(named) > sheet.width // 2:
            sheet.field("also", f"{named}: {why}", 4)
            continue
        heads = [(f"{'also':<12}", "dim"), (f"{named:<{wide}}  ", COLOURS[group.first.verdict])]
        sheet.clipped(heads, why, 4)
    if rest := [id for ids in [*reasons.values()][fit:] for id in ids]:
        sheet.field("and also" if told else "also", by_claim(rest, probes), 4)
    if group.after:
        after = by_claim([probe.id for probe in group.after], probes)
        sheet.field("so open", f"{after}: without it they prove nothing", 4, COLOURS[Verdict.INCONCLUSIVE])


def _reason(probe: ProbeRecord) -> str:
    """What tells a probe from others of its failure class: its last hop, where that is known, or why."""
    return (probe.receipt.replay.last if probe.receipt.replay else "") or probe.why or str(probe.verdict)


def _labs(run: Run, sheet: Sheet) -> None:
    sheet.gap()
    labs = by_lab(run.probes)
    wide = max((len(lab) for lab, _ in labs), default=0)
    for lab, probes in labs:
        verdict = worst(probes)
        heads = [(f"{SIGNS[verdict]} ", COLOURS[verdict]), (f"{lab:<{wide}}  ", "")]
        sheet.beside(heads, counted(probes), marks=[(rf"\d+ {red}", COLOURS[red]) for red in RED])


def _claims(run: Run, sheet: Sheet, verbose: bool) -> None:
    shown = [
        claim for claim in run.claims if verbose or claim.told or claim.verdict is not ClaimVerdict.PROVEN
    ]
    if not shown:
        return
    sheet.gap()
    sheet.line(("claims" if verbose else "claims that are not simply proven", "bold"))
    for claim in shown:
        _claim(
            claim,
            {probe.id for probe in run.probes if probe.claim == claim.id and probe.verdict in RED},
            sheet,
        )


def _claim(claim: ClaimRecord, red: set[str], sheet: Sheet) -> None:
    """A claim, and why it is not simply proven; a red probe is only named, for it is told above.

    A claim that is refuted although no probe is red is a result, not a fault, and has a colour of its own.
    """
    id = (claim.told or "").partition(": ")[0]
    result = claim.verdict is ClaimVerdict.REFUTED and not red
    colour = "magenta" if result else CLAIM_COLOURS[claim.verdict]
    heads = [(f"{claim.verdict:<14} ", colour), (f"{claim.id:<4} ", "")]
    if id in red:
        sheet.clipped([*heads, (f"{id}: ", "dim")], claim.sentence, 2)
        return
    sheet.clipped(heads, claim.sentence, 2)
    if claim.told:
        sheet.beside([], claim.told, 22, colour)


def _unseen(run: Run, sheet: Sheet) -> None:
    """How much evidence is missing of probes that passed."""
    lacking = [probe for probe in run.probes if probe.verdict is Verdict.PASSED and probe.receipt.gaps]
    if lacking:
        sheet.gap()
        views = sorted({view for probe in lacking for view in probe.receipt.gaps})
        told = f"{many(len(lacking), 'probe')} passed without evidence of the {' and the '.join(views)}"
        sheet.beside([("! ", "yellow")], f"{told} (-v says why)")


def full(run: Run, sheet: Sheet) -> None:
    """Prints every probe of every lab, with what was measured."""
    for lab, probes in by_lab(run.probes):
        sheet.gap()
        sheet.line((lab, "bold"))
        wide = max(len(probe.id) for probe in probes)
        for probe in probes:
            colour = COLOURS[probe.verdict]
            heads = [(f"{SIGNS[probe.verdict]} {probe.verdict:<12} ", colour), (f"{probe.id:<{wide}} ", "")]
            sheet.beside(heads, probe.sentence, 2)
            for line in below(probe):
                sheet.beside([], line, 6, "dim" if probe.verdict is Verdict.PASSED else colour)
            if probe.command and probe.verdict in RED:
                sheet.command("by hand", probe.command, 6)


def below(probe: ProbeRecord) -> Sequence[str]:
    """The lines under a probe: why, or what was measured; its last hop; what is missing."""
    lines = []
    if probe.why:
        lines.append(f"{probe.failure}: {probe.why}" if probe.failure else probe.why)
    if probe.receipt.replay:
        lines.append(f"last hop: {probe.receipt.replay.last}")
        lines += [f"dropped: {told}"] if (told := dropped(probe.receipt.replay)) else []
    return lines + [f"no {view} view: {why}" for view, why in probe.receipt.gaps.items() if why != probe.why]
