"""Passes events to the observers: they are called from the run's own thread only."""

from __future__ import annotations

import queue
from collections.abc import Sequence

from scripts.runs import events
from scripts.transport.executor import CompletedExec


class Teller:
    """Tells observers about events; those from other threads wait until the run's thread flushes."""

    def __init__(self, observers: Sequence[events.Observer]) -> None:
        self._observers = observers
        self._waiting: queue.SimpleQueue[events.Event] = queue.SimpleQueue()

    def tell(self, event: events.Event) -> None:
        """Tells an event at once; only from the run's own thread."""
        self.flush()
        for observer in self._observers:
            observer(event)

    def later(self, event: events.Event) -> None:
        """Keeps an event until the next ``flush``; from any thread."""
        self._waiting.put(event)

    def raw(self, name: str, done: CompletedExec) -> None:
        """Keeps what an exec printed; from any thread."""
        self.later(events.RawOutput(name, done))

    def flush(self) -> None:
        """Tells the events that wait, in order; only from the run's own thread."""
        while not self._waiting.empty():
            event = self._waiting.get()
            for observer in self._observers:
                observer(event)
