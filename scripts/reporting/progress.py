"""What a person reads while a run works, on stderr: phases, what is waited for, how far it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from scripts.reporting.sheet import drawn, sayable
from scripts.reporting.working import Working
from scripts.runs.events import (
    BatchFinished,
    Event,
    PhaseStarted,
    RunFinished,
    RunStarted,
    ScenarioStarted,
    Waiting,
)

A_SECOND = 4
"""How often the live lines are drawn anew; events between two drawings cost nothing but a note."""


class Progress:
    """Observes a run: on a terminal it keeps a few live lines, elsewhere it prints plain ones.

    ``pace`` is how long each phase lasted the last time, by which the time left is told.
    """

    def __init__(self, err: TextIO | None = None, pace: Mapping[str, float] | None = None) -> None:
        self._err = err or sys.stderr
        self._working = Working(pace or {})
        self._live: Live | None = None
        if drawn(self._err):
            console = Console(file=self._err, highlight=False, markup=False, emoji=False)
            self._spinner = Spinner("dots" if sayable("⠋", self._err) == "⠋" else "line")
            self._live = Live(
                console=console,
                refresh_per_second=A_SECOND,
                transient=True,
                redirect_stdout=False,
                get_renderable=self._lines,
            )

    def __enter__(self) -> Progress:
        """Starts the live lines, if there are any."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the live lines, whatever ended the run."""
        if self._live:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Shows an event."""
        if isinstance(event, PhaseStarted | RunStarted | RunFinished):
            self._ended()
        self._working.take(event)
        match event:
            case RunStarted():
                self._say(f"{len(event.probes)} probes of stack {event.stack}")
            case BatchFinished() if event.problem:
                self._say(f"  {event.source}: {event.problem}")
            case ScenarioStarted() if not self._live:
                self._say(f"  {event.probe}: changing the cluster")
            case Waiting() if not self._live:
                self._say(f"  {event.what}")

    def _ended(self) -> None:
        """Tells that the phase that goes on has ended, and what was waited for last in it."""
        if self._working.phase:
            if self._live and self._working.waiting:
                self._say(f"  {self._working.waiting}")
            self._say(f"✓ {self._working.title()} ({self._working.seconds():.1f} s)")

    def _say(self, text: str) -> None:
        if self._live:
            said = Text(sayable(text, self._err))
            said.highlight_regex("^✓", "green")
            self._live.console.print(said, soft_wrap=True)
        else:
            print(text, file=self._err, flush=True)

    def _lines(self) -> Group:
        """The live lines, each cut at the terminal's width."""
        working = self._working
        if working.phase is None:
            return Group()
        parts = (working.far(), f"{working.seconds():.0f} s", working.left())
        head = f"{working.title()}  {' · '.join(part for part in parts if part)}"
        self._spinner.update(text=self._cut(head, ""))
        return Group(self._spinner, *(self._cut(f"  {line}", "dim") for line in working.under_way()))

    def _cut(self, text: str, style: str) -> Text:
        return Text(sayable(text, self._err), style, no_wrap=True, overflow="crop")
