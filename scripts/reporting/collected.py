"""What every report needs of a run that may be cut short: the results so far."""

from __future__ import annotations

import time

from labs.model import Probe
from scripts.probing.events import Event, ProbeJudged, RunFinished, RunStarted
from scripts.probing.verdict import Result


class Collected:
    """Observes a run and can tell at any time what is known of it."""

    def __init__(self) -> None:
        self.id = self.stack = ""
        self.finished: RunFinished | None = None
        self._probes: tuple[tuple[str, Probe], ...] = ()
        self._results: dict[str, Result] = {}
        self._begun = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Takes note of an event."""
        if isinstance(event, RunStarted):
            self.id, self.stack, self._probes = event.id, event.stack, event.probes
        elif isinstance(event, ProbeJudged):
            self._results[event.result.id] = event.result
        elif isinstance(event, RunFinished):
            self.finished = event

    def so_far(self) -> RunFinished:
        """The run as if it ended now."""
        if self.finished:
            return self.finished
        results = tuple(self._results[p.id] for _, p in self._probes if p.id in self._results)
        return RunFinished(self.id, self.stack, time.monotonic() - self._begun, results)

    def unjudged(self) -> list[tuple[str, Probe]]:
        """The probes (with their lab) that have no verdict yet."""
        return [(lab, probe) for lab, probe in self._probes if probe.id not in self._results]
