"""The page: a run's document in, one self-contained HTML file out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.checks.verdict import Verdict
from scripts.reporting.html import words
from scripts.reporting.html.drawing import drawing_of
from scripts.reporting.html.pack import bounded, packed
from scripts.reporting.html.path import Path, path_of
from scripts.reporting.html.printable import printable, visible
from scripts.reporting.html.rows import Entry, Group, Picture, best_of, list_of, weight
from scripts.reporting.html.seen import seen_of
from scripts.reporting.html.shell import safe, shell, template
from scripts.reporting.html.shown import causes_by_probe, nodes_met, shown_path, told_first
from scripts.reporting.html.views import HEADINGS, facts_of
from scripts.runs.claims import ClaimVerdict
from scripts.runs.document import CauseRecord, ClaimRecord, ClusterRecord, ProbeRecord, Run, TraceRecord

RAW = 4 << 20
"""Characters of packed raw receipts that a page carries, those of red probes first; run.json has all."""
ENDED = "the run ended before this probe was judged"


def render(run: Run) -> str:
    """The report of a run, also of one that was cut short."""
    run = printable(run)
    entries = [*_entries(run)]
    causes = told_first(run.causes)
    drawn = [_picture(n, cause, run, entries) for n, cause in enumerate(causes, 1)]
    pictures = [picture for picture, _ in drawn]
    more = [(picture.detail, detail) for picture, detail in drawn if detail]
    red_first = sorted(zip(entries, run.probes, strict=False), key=lambda pair: not pair[0].weight)
    raw = ((entry.number, _raw(probe)) for entry, probe in red_first)
    return template("page.html").render(
        **shell(f"{run.stack}: {words.headline(run)}"),
        **list_of(_groups(run, entries), entries, more),
        run=run,
        nodes=[node.name for node in run.cluster.nodes],
        causes=causes,
        pictures=pictures,
        raw=[*bounded(packed(raw), RAW)],
        first=next((one.row for one in pictures if one.row >= 0), best_of(entries)),
    )


def render_trace(
    trace: TraceRecord, title: str, answer: str, cluster: ClusterRecord, command: str = ""
) -> str:
    """The page of one request that was followed, not judged; ``answer`` is what came back, in words."""
    trace, cluster, title, answer = printable(trace), printable(cluster), visible(title), visible(answer)
    nodes = [node.name for node in cluster.nodes]
    lost = not trace.answer and bool(trace.hops)
    path = path_of(trace, nodes, "Nothing of an answer was seen." if lost else "")
    body = template("detail.html").render(
        probe=None,
        k="t",
        path=path,
        drawing=drawing_of(path, cluster),
        facts=[],
        cause=None,
        number=0,
        command=command,
        views=HEADINGS,
        title=title,
        marks={},
    )
    return template("trace.html").render(**shell(title), heading=title, answer=answer, body=safe(body))


def _picture(n: int, cause: CauseRecord, run: Run, entries: Sequence[Entry]) -> tuple[Picture, str]:
    """What is shown of a cause: the way that ends where it is, drawn anew if another cause stands there."""
    row = best_of(one for one in entries if one.id in cause.explains)
    if row < 0 or cause.warning or causes_by_probe(run.causes)[entries[row].id][0] == n:
        return Picture(row, row), ""
    number = len(entries) + n
    return Picture(row, number), _detail(run.probes[row], run, f"d{number}", (n, cause))[0]


def _detail(
    probe: ProbeRecord, run: Run, k: str, numbered: tuple[int, CauseRecord | None]
) -> tuple[str, Path]:
    """What a row leads to, with ``k`` in its ids, and the way that is drawn there; its cause has a number."""
    number, cause = numbered
    seen = seen_of(probe)
    cluster = run.cluster.by(probe.family)
    path = shown_path(probe, cluster, cause, seen)
    detail = template("detail.html").render(
        probe=probe,
        k=k,
        path=path,
        drawing=drawing_of(path, cluster) if path.stations else None,
        facts=facts_of(probe, seen),
        cause=cause,
        number=number,
        command=probe.command,
        views=HEADINGS,
        title=probe.sentence,
        marks={},
    )
    return detail, path


def _entries(run: Run) -> Iterator[Entry]:
    causes = causes_by_probe(run.causes)
    for number, probe in enumerate(run.probes):
        numbered = causes.get(probe.id, (0, None))
        detail, path = _detail(probe, run, f"d{number}", numbered)
        verdict, why = probe.verdict.value, probe.why or ""
        yield Entry(
            number,
            probe.id,
            probe.claim,
            probe.lab,
            probe.sentence,
            verdict,
            kind=verdict,
            sign=words.sign(verdict),
            tone=words.tone(verdict),
            why=f"{probe.failure}: {why}" if probe.failure and why else why,
            nodes=nodes_met(probe, path, run.cluster, numbered[1]),
            detail=detail,
            hops=len(path.stations) if path.captured else 0,
            weight=weight(verdict),
            stops=path.captured and bool(path.stopped),
        )
    verdict = words.UNJUDGED
    for number, left in enumerate(run.unjudged, len(run.probes)):
        shown = verdict, verdict, words.sign(verdict), words.tone(verdict), ENDED
        yield Entry(number, left.id, left.claim, left.lab, left.sentence, *shown)


def _groups(run: Run, entries: Sequence[Entry]) -> list[tuple[str, list[Group]]]:
    """The claims by lab, each with its probes; one that several labs probe stands in the first."""
    by_claim: dict[str, list[Entry]] = {}
    for entry in entries:
        by_claim.setdefault(entry.claim, []).append(entry)
    claims = {claim.id: claim for claim in run.claims}
    by_lab: dict[str, list[Group]] = {}
    for id, each in by_claim.items():
        by_lab.setdefault(each[0].lab, []).append(_group(claims.get(id), id, each))
    return [*by_lab.items()]


def _group(claim: ClaimRecord | None, id: str, entries: Sequence[Entry]) -> Group:
    """A claim with its probes; one that is refuted without a red probe differs, and nothing is broken."""
    verdict: str = claim.verdict if claim else words.UNJUDGED
    red = any(entry.weight for entry in entries)
    shown = Verdict.FAILED if verdict == ClaimVerdict.REFUTED and red else verdict
    return Group(
        id,
        entries[0].lab,
        claim.sentence if claim else "",
        verdict,
        words.sign(shown),
        words.tone(shown),
        (claim.told or "") if claim else "",
        tuple(entries),
        open=red and verdict in (ClaimVerdict.REFUTED, ClaimVerdict.INCONCLUSIVE),
    )


def _raw(probe: ProbeRecord) -> str:
    """A probe's whole receipt as JSON, without its packets."""
    return probe.receipt.model_dump_json(exclude={"trace", "replay"}, exclude_defaults=True)
