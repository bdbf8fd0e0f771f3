"""Answers from a recording, in the recorded order; the last answer to a question is repeated."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scripts import errors
from scripts.errors import PodpathError
from scripts.transport import executor
from scripts.transport.executor import CompletedExec, Place, PodExecError
from scripts.waiting import Clock
from tests.worlds.parts import Told, parts_of, put_together
from tests.worlds.recorder import Key, Raised, Tape, api_key
from tests.worlds.scope import ASKING

LOOK = 0.5
"""Seconds between two readings of the clock that were not recorded."""


class Replayer(Clock):
    """An executor, an API and a clock that play a tape. It is thread-safe.

    ``missing`` are the questions that were not recorded, by the id of the probe that asked (empty: the run).
    """

    def __init__(self, tape: Tape) -> None:
        self._tape, self._lock = tape, threading.Lock()
        self._given: Counter[Key] = Counter()
        self.missing: dict[str, list[Key]] = {}

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        parts = parts_of(argv, stdin)
        found = [self._next(self._tape.execs, (ASKING.get(), str(place), *p.asked), p.whose) for p in parts]
        for one in found:
            if isinstance(one, Raised):
                raise getattr(executor, one.kind, PodExecError)(one.said)
        if not any(found):
            raise PodExecError(f"{argv[0]} in {place} is not in this recording")
        return put_together(argv, stdin, [one or Told() for one in found])

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._asked(api_key("GET", path, query))

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        return self._asked(api_key("DELETE", path, query))

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        return self._asked(api_key("PATCH", path, change))

    def now(self, what: str) -> float:
        """As recorded; after that, time advances by ``LOOK`` each time, so that every wait ends."""
        count, told = self._times("now", what)
        return float(told[count - 1]) if count <= len(told) else (told[-1] if told else 0.0) + count * LOOK

    def wall(self, what: str) -> int:
        count, told = self._times("wall", "")
        return int(told[count - 1]) if count <= len(told) else super().wall(what)

    def ended(self, event: threading.Event, seconds: float, what: str) -> bool:
        """Waits for an event only if it was set in time when this was recorded."""
        count, told = self._times("ended", what)
        came = bool(told[count - 1]) if count <= len(told) else seconds > LOOK
        return came and event.wait(seconds)

    def _times(self, which: str, what: str) -> tuple[int, Sequence[float]]:
        key = (ASKING.get(), which, what)
        with self._lock:
            self._given[key] += 1
            return self._given[key], self._tape.times.get(key, ())

    def _asked(self, key: Key) -> dict[str, Any]:
        found = self._next(self._tape.api, key)
        if isinstance(found, Raised):
            raise getattr(errors, found.kind, PodpathError)(found.said)
        if found is None:
            raise PodpathError(f"{key[1]} {key[2]} is not in this recording")
        answer: dict[str, Any] = found
        return answer

    def _next(self, tape: Mapping[Key, Sequence[Any]], key: Key, whose: str = "") -> Any:
        told = tape.get(key)
        with self._lock:
            if told is None:
                self.missing.setdefault(ASKING.get() or whose, []).append(key)
                return None
            self._given[key] += 1
            return told[min(self._given[key], len(told)) - 1]
