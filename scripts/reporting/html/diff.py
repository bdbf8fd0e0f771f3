"""The page of a comparison: what differs between two runs, each way drawn before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from scripts.reporting.difference import headline, sums
from scripts.reporting.html.drawing import drawing_of
from scripts.reporting.html.pairs import apart, comparable, marks_of, pairs_of
from scripts.reporting.html.path import Path
from scripts.reporting.html.printable import printable
from scripts.reporting.html.rows import Entry, Group, Picture, best_of, list_of
from scripts.reporting.html.shell import STYLE, shell, template
from scripts.reporting.html.shown import causes_by_probe, nodes_met, shown_path
from scripts.runs.comparison import Comparison, Direction, PathChange, VerdictChange
from scripts.runs.document import CauseRecord, ClusterRecord, ProbeRecord, Run


class Kind(StrEnum):
    """What differs of a probe or a claim: its verdict, or only the way of its packets."""

    WORSE = "worse"
    BETTER = "better"
    OTHER = "other verdict"
    PATH = "other path"
    CHANCE = "other path, by chance"


KINDS = {Direction.WORSE: Kind.WORSE, Direction.BETTER: Kind.BETTER, Direction.OTHER: Kind.OTHER}
SIGNS = {Kind.WORSE: "✗", Kind.BETTER: "✓", Kind.OTHER: "·", Kind.PATH: "≠", Kind.CHANCE: "≠"}
TONES = {Kind.WORSE: "bad", Kind.BETTER: "good", Kind.PATH: "open"}
WEIGHTS = {Kind.WORSE: 3, Kind.OTHER: 2, Kind.PATH: 2, Kind.BETTER: 1, Kind.CHANCE: 0}
BOTH = (*STYLE, "diff.css")


def render_diff(before: Run, after: Run, differs: Comparison) -> str:
    """The page of what ``differs`` from ``before`` to ``after``."""
    before, after, differs = printable(before), printable(after), printable(differs)
    entries = [*_entries(before, after, differs)]
    groups = _groups(entries, before, after, differs)
    causes = sorted(differs.causes, key=lambda change: (change.cause.warning, change.change == "went"))
    nodes = dict.fromkeys(node.name for run in (before, after) for node in run.cluster.nodes)
    best = [best_of(one for one in entries if one.id in change.cause.explains) for change in causes]
    return template("diff.html").render(
        **shell(f"{before.id} → {after.id}: {headline(differs)}", BOTH),
        **list_of(groups, entries),
        changes=True,
        differs=differs,
        told=headline(differs),
        sides=[
            ("Before", differs.before, sums(differs.before)),
            ("After", differs.after, sums(differs.after)),
        ],
        nodes=[*nodes],
        causes=causes,
        pictures=[Picture(number, number) for number in best],
        raw=[],
        first=next((number for number in best if number >= 0), best_of(entries)),
    )


def _entries(before: Run, after: Run, differs: Comparison) -> Iterator[Entry]:
    """The probes whose verdicts or ways differ, in the order of the run after."""
    old = {probe.id: probe for probe in before.probes}
    verdicts = {one.id: one for one in differs.probes}
    paths: dict[str, list[PathChange]] = {}
    for one in differs.paths:
        for id in one.probes:
            paths.setdefault(id, []).append(one)
    causes = [causes_by_probe(run.causes) for run in (before, after)]
    number = 0
    for probe in after.probes:
        if probe.id in old and (probe.id in verdicts or probe.id in paths):
            sides = [
                _Side(run.cluster.by(one.family), one, known.get(one.id, (0, None))[1])
                for run, one, known in zip((before, after), (old[probe.id], probe), causes, strict=True)
            ]
            yield _entry(number, sides, verdicts.get(probe.id), paths.get(probe.id, ()))
            number += 1


class _Side:
    """A probe in one of the two runs."""

    def __init__(self, cluster: ClusterRecord, probe: ProbeRecord, cause: CauseRecord | None) -> None:
        self.cluster, self.probe, self.cause = cluster, probe, cause
        self.path: Path = shown_path(probe, cluster, cause)
        self.drawing = drawing_of(self.path, cluster) if self.path.stations else None
        self.nodes = nodes_met(probe, self.path, cluster, cause)


def _entry(
    number: int, sides: Sequence[_Side], verdict: VerdictChange | None, paths: Sequence[PathChange]
) -> Entry:
    old, new = sides
    told = [*dict.fromkeys(one.words for one in paths)]
    by_chance = all(one.chosen for one in paths)
    kind = KINDS[verdict.direction] if verdict else Kind.CHANCE if by_chance else Kind.PATH
    shown = f"{verdict.before} → {verdict.after}" if verdict else "; ".join(told)
    why = verdict.why if verdict else ""
    aligned = comparable(old.path, new.path)
    pairs = pairs_of(old.path, new.path) if aligned else apart(old.path, new.path)
    look: dict[str, Any] = {"sign": SIGNS[kind], "tone": TONES.get(kind, "none"), "why": why}
    detail = template("differs.html").render(
        **look,
        k=f"d{number}",
        title=new.probe.sentence,
        sides=[*zip(("before", "after"), sides, marks_of(pairs), strict=True)],
        pairs=pairs,
        aligned=aligned,
        shown=shown if verdict else kind,
        told=told,
        command=new.probe.command,
    )
    return Entry(
        number,
        new.probe.id,
        new.probe.claim,
        new.probe.lab,
        new.probe.sentence,
        shown,
        **look,
        kind=kind.value,
        nodes=tuple(dict.fromkeys((*old.nodes, *new.nodes))),
        detail=detail,
        hops=max(len(side.path.stations) * side.path.captured for side in sides),
        weight=WEIGHTS[kind],
        stops=bool(new.path.captured and new.path.stopped),
    )


def _groups(
    entries: Sequence[Entry], before: Run, after: Run, differs: Comparison
) -> list[tuple[str, list[Group]]]:
    """The claims that have another verdict, or a probe that differs, by lab."""
    changed = {one.id: one for one in differs.claims}
    sentences = {claim.id: claim.sentence for claim in (*before.claims, *after.claims)}
    labs: Mapping[str, str] = {probe.claim: probe.lab for probe in reversed(after.probes)}
    by_claim: dict[str, list[Entry]] = {id: [] for id in labs if id in changed}
    for entry in entries:
        by_claim.setdefault(entry.claim, []).append(entry)
    by_lab: dict[str, list[Group]] = {}
    for id in sorted(by_claim, key=[*dict.fromkeys(probe.claim for probe in after.probes)].index):
        lab = by_claim[id][0].lab if by_claim[id] else labs[id]
        by_lab.setdefault(lab, []).append(
            _group(id, lab, sentences.get(id, ""), changed.get(id), by_claim[id])
        )
    return [*by_lab.items()]


def _group(id: str, lab: str, sentence: str, change: VerdictChange | None, entries: Sequence[Entry]) -> Group:
    kind = (
        KINDS[change.direction]
        if change
        else max((Kind(one.kind) for one in entries), key=WEIGHTS.__getitem__)
    )
    return Group(
        id,
        lab,
        sentence,
        f"{change.before} → {change.after}" if change else kind.value,
        SIGNS[kind],
        TONES.get(kind, "none"),
        change.why if change else "",
        tuple(entries),
        open=kind is not Kind.CHANCE,
    )
