"""A run as Markdown for the page of a CI job, in the dialect that GitHub and GitLab share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from scripts.checks.verdict import Verdict
from scripts.reporting.facts import Fact, facts_of
from scripts.reporting.files import Report
from scripts.reporting.reds import Group, Reds, headline, reds_of
from scripts.reporting.signs import SIGNS, by_claim, counted, many, summary, worst
from scripts.runs.claims import ClaimVerdict
from scripts.runs.document import CauseRecord, ClaimRecord, Run

ROWS = 200
"""Red probes that the table names at most: a job's page may have 1 MiB."""
MARKS = re.compile(r"[\\`*_\[\]<>#|~@&$]|(?<=:)//|(?<=www)\.")
"""What could mean something within a line of Markdown or HTML, notify somebody, or become a link."""


def markdown(run: Run) -> str:
    """The page: causes, what is red or open, the labs, the claims, the sums."""
    return "\n".join(_page(run)) + "\n"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, whoever wrote it; it is to stand behind something in its line."""
    return MARKS.sub(lambda mark: "".join(f"&#{ord(sign)};" for sign in mark[0]), " ".join(text.split()))


def fenced(command: str) -> list[str]:
    """A command as a block of code, from which it can be copied."""
    longest = max((len(run) for run in re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}sh", " ".join(command.splitlines()), fence]


def _page(run: Run) -> Iterator[str]:
    reds = reds_of(run)
    yield f"## {SIGNS[worst(run.probes)]} podpath: {counted(run.probes)} (stack {plain(run.stack)})"
    yield ""
    if not run.complete:
        yield f"**Cut short:** {many(len(run.unjudged), 'probe')} were not judged."
        yield ""
    if reds.causes:
        yield f"### {headline(reds)}"
        for cause in reds.causes:
            yield from _cause(cause, run)
    if reds.warnings:
        yield f"### {many(len(reds.warnings), 'warning')}"
        for cause in reds.warnings:
            yield from _cause(cause, run)
    if reds.groups:
        yield "### No cause was found for these" if reds.causes else "### Not passed"
        for group in reds.groups:
            yield from _group(group, run)
    if reds.every:
        yield from _reds(reds)
    yield from _labs(run)
    yield from _claims(run)
    yield plain(summary(run))


def _cause(cause: CauseRecord, run: Run) -> Iterator[str]:
    yield ""
    yield f"**{plain(cause.what)}**"
    yield ""
    yield from (f"- {plain(line)}" for line in cause.evidence)
    if cause.explains:
        told = by_claim(cause.explains, {probe.id: probe for probe in run.probes})
        yield f"- explains {plain(told)}"
    yield ""
    for label, command in (("Look:", cause.look), ("Mend:", cause.mend)):
        if command:
            yield from (label, "", *fenced(command), "")


def _group(group: Group, run: Run) -> Iterator[str]:
    first, probes = group.first, {probe.id: probe for probe in run.probes}
    more = f" and {group.size - 1} more" if group.others else ""
    yield ""
    told = f"{first.id}{more}: {first.failure or first.verdict} ({first.lab})"
    yield f"**{SIGNS[first.verdict]} {plain(told)}**"
    yield ""
    facts = facts_of(first)
    yield from (f"- {_labelled(fact)}" for fact in facts if not fact.command)
    if group.others:
        yield f"- also: {plain(by_claim((probe.id for probe in group.others), probes))}"
    if group.after:
        after = by_claim((probe.id for probe in group.after), probes)
        yield f"- so open: {plain(after)}, without it they prove nothing"
    yield ""
    for fact in facts:
        if fact.command:
            yield from (*fenced(fact.text), "")


def _labelled(fact: Fact) -> str:
    return f"{fact.label}: {plain(fact.text)}" if fact.label else plain(fact.text)


def _reds(reds: Reds) -> Iterator[str]:
    rows = [
        (
            f"{SIGNS[probe.verdict]} {probe.id}",
            probe.lab,
            str(probe.failure or probe.verdict),
            probe.why or "",
            probe.receipt.replay.last if probe.receipt.replay else "",
        )
        for probe in reds.every[:ROWS]
    ]
    if left := len(reds.every) - len(rows):
        rows.append(("…", "", "", f"and {left} more", ""))
    head = ("probe", "lab", "failure", "why", "last hop")
    yield from _folded(f"Everything that did not pass ({len(reds.every)})", _table(head, rows))


def _labs(run: Run) -> Iterator[str]:
    labs: dict[str, Counter[Verdict]] = {}
    for probe in run.probes:
        labs.setdefault(probe.lab, Counter())[probe.verdict] += 1
    rows = [(lab, *(str(counts[verdict] or "") for verdict in Verdict)) for lab, counts in labs.items()]
    yield from ("### Labs", "", *_table(("lab", *Verdict), rows), "")


def _claims(run: Run) -> Iterator[str]:
    def row(claim: ClaimRecord) -> tuple[str, ...]:
        return claim.id, claim.sentence, str(claim.verdict), claim.told or ""

    notable = [one for one in run.claims if one.told or one.verdict is not ClaimVerdict.PROVEN]
    head = ("claim", "sentence", "verdict", "why")
    if notable:
        yield from ("### Claims that are not simply proven", "", *_table(head, map(row, notable)), "")
    yield from _folded(f"All claims ({len(run.claims)})", _table(head, map(row, run.claims)))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(map(plain, row))} |" for row in rows]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{plain(title)}</summary>", "", *lines, "", "</details>", ""]


MARKDOWN = Report("Markdown", "", markdown)
