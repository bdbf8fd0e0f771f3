"""The report that a person reads: live progress on stderr, the verdicts on stdout."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from labs import LABS
from labs.claims import CLAIMS
from labs.model import Probe
from scripts.probing.events import (
    BatchFinished,
    BatchStarted,
    Event,
    ProbeJudged,
    RunFinished,
    RunStarted,
    ScenarioStarted,
)
from scripts.probing.verdict import ClaimVerdict, Result, Verdict

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

STYLE = {
    Verdict.PASSED: ("✓", "green"),
    Verdict.FAILED: ("✗", "red"),
    Verdict.INCONCLUSIVE: ("?", "yellow"),
    Verdict.SKIPPED: ("-", "dim"),
}
CLAIM_STYLE = {
    ClaimVerdict.PROVEN: "green",
    ClaimVerdict.REFUTED: "red",
    ClaimVerdict.INCONCLUSIVE: "yellow",
    ClaimVerdict.NOT_APPLICABLE: "dim",
}


class Console:
    """Observes a run; on a terminal it draws, elsewhere (or with NO_COLOR) it prints plain lines."""

    def __init__(self, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> None:
        self._out, self._err = out, err
        self._live = _drawn(err)
        self._status: object = None
        self._going: list[str] = []
        self._total = self._judged = 0

    def __enter__(self) -> Console:
        """Nothing yet: the first event starts the live line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the live line away, whatever ended the run."""
        self._rest()

    def __call__(self, event: Event) -> None:
        """Shows an event."""
        match event:
            case RunStarted():
                self._total = len(event.probes)
                self._progress(f"{self._total} probes of stack {event.stack}")
            case BatchStarted():
                self._going.append(event.source)
                self._progress(f"asking from {', '.join(self._going)}", line=False)
            case BatchFinished():
                self._going.remove(event.source)
                said = event.problem or f"{event.size} answers"
                self._progress(f"{event.source}: {said} ({event.seconds:.2f} s)")
            case ScenarioStarted():
                self._progress(f"{event.probe}: changing the cluster")
            case ProbeJudged():
                self._judged += 1
                self._progress(f"{self._judged} of {self._total} probes judged", line=False)
            case RunFinished():
                self._rest()
                show(event, self._out)

    def _progress(self, text: str, line: bool = True) -> None:
        if not self._live:
            if line:
                print(f"  {text}", file=self._err, flush=True)
            return
        from rich.console import Console as RichConsole
        from rich.status import Status

        if self._status is None:
            self._status = Status(text, console=RichConsole(file=self._err))
            self._status.start()
        assert isinstance(self._status, Status)
        self._status.update(text)

    def _rest(self) -> None:
        if self._status is not None:
            from rich.status import Status

            assert isinstance(self._status, Status)
            self._status.stop()
            self._status = None


def _drawn(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ


def show(run: RunFinished, out: TextIO) -> None:
    """Prints the verdicts by lab, what each claim ends as, and the sums."""
    if _drawn(out):
        _draw(run, out)
        return
    for lab, results in by_lab(run.results):
        print(f"\n{lab}", file=out)
        for result in results:
            sign, _ = STYLE[result.verdict]
            print(f"  {sign} {result.verdict:<12} {result.id:<14} {result.sentence}", file=out)
            for line in below(result):
                print(f"      {line}", file=out)
    print("\nclaims", file=out)
    for id, claim in run.claims.items():
        print(f"  {claim.verdict:<14} {id:<4} {_sentence(id)}", file=out)
        if claim.told:
            print(f"      {claim.told}", file=out)
    print(f"\n{summary(run)}", file=out, flush=True)


def _draw(run: RunFinished, out: TextIO) -> None:
    from rich.console import Console as RichConsole
    from rich.text import Text

    console = RichConsole(file=out, highlight=False)
    for lab, results in by_lab(run.results):
        table = _table(lab)
        for result in results:
            sign, colour = STYLE[result.verdict]
            told = Text(result.sentence)
            for line in below(result):
                told.append(f"\n{line}", style="dim" if result.verdict is Verdict.PASSED else colour)
            table.add_row(Text(f"{sign} {result.verdict}", style=colour), result.id, told)
        console.print(table)
    claims = _table("claims")
    for id, claim in run.claims.items():
        style, told = CLAIM_STYLE[claim.verdict], Text(_sentence(id))
        if claim.told:
            told.append(f"\n{claim.told}", style=style)
        claims.add_row(Text(claim.verdict, style=style), id, told)
    console.print(claims)
    _sum(console, run)


def _sum(console: RichConsole, run: RunFinished) -> None:
    worst = next((v for v in (Verdict.FAILED, Verdict.INCONCLUSIVE) if v in _counts(run)), Verdict.PASSED)
    console.print(summary(run), style=f"bold {STYLE[worst][1]}")


def _table(title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def below(result: Result) -> list[str]:
    """What stands under a probe's line: why it did not pass or what was measured, and what is missing."""
    lines = []
    finding = result.finding
    if finding.why:
        lines.append(f"{finding.failure}: {finding.why}" if finding.failure else finding.why)
    if result.command and result.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        lines.append(f"by hand: {result.command}")
    lines += [f"no {view} view: {why}" for view, why in result.receipt.gaps.items() if why != finding.why]
    return lines


def by_lab(results: Iterable[Result]) -> list[tuple[str, list[Result]]]:
    """The results of each lab, in the article's order."""
    grouped: dict[str, list[Result]] = {}
    for result in results:
        grouped.setdefault(result.lab, []).append(result)
    return sorted(grouped.items(), key=lambda item: LABS.index(item[0]) if item[0] in LABS else len(LABS))


def summary(run: RunFinished) -> str:
    """The sums in one line."""
    counts = _counts(run)
    probes = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    claims = Counter(claim.verdict for claim in run.claims.values())
    told = ", ".join(f"{claims[verdict]} {verdict}" for verdict in ClaimVerdict if claims[verdict])
    sums = (
        f"{_many(len(run.results), 'probe')}: {probes or 'none'}; {_many(len(run.claims), 'claim')}: {told}"
    )
    return f"{sums}; {run.seconds:.1f} s"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def listing(probes: Iterable[tuple[str, Probe]]) -> str:
    """The probes by lab and claim, in words."""
    lines: list[str] = []
    lab = claim = ""
    for of, probe in probes:
        if of != lab:
            lines += ["", of] if lines else [of]
            lab, claim = of, ""
        if probe.claim != claim:
            lines.append(f"  {probe.claim} {_sentence(probe.claim)}")
            claim = probe.claim
        lines.append(f"    {probe.id:<14} {probe}")
    return "\n".join(lines)


def _counts(run: RunFinished) -> Counter[Verdict]:
    return Counter(result.verdict for result in run.results)


def _sentence(claim: str) -> str:
    return CLAIMS[claim].sentence if claim in CLAIMS else ""
