"""What differs between two runs, in words."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill, shorten
from typing import TextIO

from scripts.runs.comparison import CauseChange, Comparison, Direction, SideRecord, ValueChange, VerdictChange

SIGNS = {Direction.WORSE: ("✗", "red"), Direction.BETTER: ("✓", "green"), Direction.OTHER: ("·", "yellow")}
CAUSES = {"came": "red", "went": "green", "stayed": "yellow"}
LONGEST = 160
"""Characters of a reason; the whole is in the run's report."""
FEW = 12
"""Ids that are listed one by one."""


@dataclass(frozen=True)
class Line:
    """A line of text; what does not fit continues below, ``indent`` columns in."""

    text: str
    style: str = ""
    indent: int = 0


def show(differs: Comparison, out: TextIO) -> None:
    """Prints the differences; in colour and wrapped on a terminal."""
    terminal = out.isatty()
    width = shutil.get_terminal_size().columns if terminal else 0
    if not terminal or "NO_COLOR" in os.environ:
        for line in lines(differs):
            print(_wrapped(line, width), file=out)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, highlight=False)
    for line in lines(differs):
        console.print(Text(_wrapped(line, width), style=line.style), soft_wrap=True)


def _wrapped(line: Line, width: int) -> str:
    if not width or len(line.text) <= width:
        return line.text
    begin = len(line.text) - len(line.text.lstrip())
    later = " " * max(line.indent, begin)
    return fill(line.text.strip(), width, initial_indent=" " * begin, subsequent_indent=later)


def lines(differs: Comparison) -> Iterator[Line]:
    """The differences: what became worse first, and at the end what is the same."""
    for name, side in (("before", differs.before), ("after", differs.after)):
        yield Line(f"{name:<7} {side.id}: {sums(side)}", indent=8)
    yield Line("")
    yield Line(headline(differs), "bold red" if differs.worse else "bold green")
    same = []
    for title, part in (
        ("causes", _causes(differs.causes)),
        ("claims", _claims(differs)),
        ("paths", _paths(differs)),
        ("probes", _probes(differs.probes)),
        ("findings", _values(differs.findings)),
        ("versions", _values(differs.versions)),
        ("features", _values(differs.features)),
        ("nodes", _values(differs.nodes)),
        ("timings", _timings(differs)),
    ):
        if told := [*part]:
            yield from (Line(""), Line(title, "bold"), *told)
        else:
            same.append(title)
    for when, ids in (("before", differs.only_before), ("after", differs.only_after)):
        if ids:
            yield from (Line(""), Line(f"asked only {when}: {_listed(ids)}", indent=2))
    if same:
        yield from (Line(""), Line(f"The same: {', '.join(same)}.", "dim"))


def sums(side: SideRecord) -> str:
    """A run's sums in a line."""
    probes = ", ".join(f"{count} {verdict}" for verdict, count in side.probes.items()) or "no probe judged"
    claims = ", ".join(f"{count} {verdict}" for verdict, count in side.claims.items())
    cut = "" if side.complete else f"; cut short, {side.unjudged} probes not judged"
    return f"{probes}{f'; claims: {claims}' if claims else ''}; {side.seconds:.1f} s{cut}"


def headline(differs: Comparison) -> str:
    """How many verdicts became worse and better."""
    if not differs.claims and not differs.probes:
        return "No verdict changed."
    told = []
    for direction, word in (
        (Direction.WORSE, "worse"),
        (Direction.BETTER, "better"),
        (Direction.OTHER, "other"),
    ):
        counts = (
            _many(sum(one.direction is direction for one in changes), what)
            for changes, what in ((differs.claims, "claim"), (differs.probes, "probe"))
        )
        if some := " and ".join(count for count in counts if count):
            told.append(f"{word}: {some}")
    return "; ".join(told).capitalize() + "."


def _claims(differs: Comparison) -> Iterator[Line]:
    """A claim's reason is told with its probe, if that has changed, too."""
    told = {one.id for one in differs.probes}
    for one in differs.claims:
        sign, style = SIGNS[one.direction]
        yield Line(f"  {sign} {one.id:<4} {one.before} → {one.after}: {one.sentence}", style, 9)
        if one.why and one.why.partition(":")[0] not in told:
            yield Line(f"         {shorten(one.why, LONGEST, placeholder=' …')}")


def _probes(changes: Sequence[VerdictChange]) -> Iterator[Line]:
    wide = max((len(one.id) for one in changes), default=0)
    for one in changes:
        sign, style = SIGNS[one.direction]
        yield Line(f"  {sign} {one.id:<{wide}}  {one.before} → {one.after}  ({one.lab})", style, 6)
        if one.direction is not Direction.BETTER:
            told = (shorten(text, LONGEST, placeholder=" …") for text in (one.why, one.last) if text)
            yield from (Line(f"      {text}") for text in told)


def _paths(differs: Comparison) -> Iterator[Line]:
    by_chance = False
    for one in differs.paths:
        if one.chosen and not by_chance:
            by_chance = True
            yield Line("  because a Service or a load balancer chose another Pod or node:", "dim")
        yield Line(f"{'    ' if by_chance else '  '}{one.words}  ({_listed(one.probes)})", indent=6)


def _causes(changes: Sequence[CauseChange]) -> Iterator[Line]:
    """What explains reds, then what holds and is no reason for a red."""
    for one in sorted(changes, key=lambda change: change.cause.warning):
        count = _many(len(one.cause.explains), "probe")
        explains = f" (explains {count})" if count and not one.cause.warning else ""
        warning, style = ("warning: ", "yellow") if one.cause.warning else ("", CAUSES[one.change])
        yield Line(f"  {one.change:<6} {warning}{one.cause.what}{explains}", style, 9)
        if one.change != "went" and one.cause.mend and not one.cause.warning:
            yield Line(f"         to mend: {one.cause.mend}", indent=9)


def _values(changes: Sequence[ValueChange]) -> Iterator[Line]:
    for one in changes:
        reason = f"  ({one.reason})" if one.reason else ""
        yield Line(f"  {one.name}: {one.before or 'none'} → {one.after or 'none'}{reason}", indent=6)


def _timings(differs: Comparison) -> Iterator[Line]:
    for one in differs.timings:
        yield Line(f"  {one.what}: {one.told}", indent=6)
    if differs.timings:
        yield Line(f"  (told is {differs.noise})", "dim", 6)


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - FEW} more" if len(ids) > FEW else ""
    return f"{', '.join(ids[:FEW])}{more}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""
