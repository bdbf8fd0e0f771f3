"""Records everything that a run reads: output of execs, answers of the API server, times."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scripts.checks.undo import Api
from scripts.errors import PodpathError
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError
from scripts.waiting import Clock
from tests.worlds.parts import Told, parts_of, taken_apart
from tests.worlds.scope import ASKING
from tests.worlds.trim import trimmed


@dataclass(frozen=True)
class Raised:
    """An error that was raised instead of an answer: the name of its class and its message."""

    kind: str
    said: str


Key = tuple[str, ...]
Number = TypeVar("Number", int, float, bool)


@dataclass
class Tape:
    """All answers to each question, in order. The first word of each key is the scenario that asked."""

    execs: dict[Key, list[Told | Raised]] = field(default_factory=dict)
    api: dict[Key, list[Any]] = field(default_factory=dict)
    times: dict[Key, list[float]] = field(default_factory=dict)


class Recorder(Clock):
    """Wraps an executor, an API and this machine's clock, and records their answers. It is thread-safe."""

    def __init__(self, execute: Executor, api: Api) -> None:
        self._execute, self._api, self._lock = execute, api, threading.Lock()
        self._begun = Clock().now("")
        self.tape = Tape()

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        parts = parts_of(argv, stdin)
        told: Sequence[Told | Raised]
        try:
            done = self._execute(place, argv, stdin, timeout)
            told = taken_apart(argv, stdin, done)
        except PodExecError as error:
            told = [Raised(type(error).__name__, str(error))] * len(parts)
            raise
        finally:
            with self._lock:
                for part, one in zip(parts, told, strict=True):
                    self.tape.execs.setdefault((ASKING.get(), str(place), *part.asked), []).append(one)
        return done

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._asked(api_key("GET", path, query), lambda: self._api.get(path, **query))

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        return self._asked(api_key("DELETE", path, query), lambda: self._api.delete(path, **query))

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        return self._asked(api_key("PATCH", path, change), lambda: self._api.patch(path, change))

    def now(self, what: str) -> float:
        return self._timed("now", what, round(super().now(what) - self._begun, 3))

    def wall(self, what: str) -> int:
        return self._timed("wall", "", super().wall(what))

    def ended(self, event: threading.Event, seconds: float, what: str) -> bool:
        return self._timed("ended", what, super().ended(event, seconds, what))

    def _asked(self, key: Key, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        told: Any = None
        try:
            answer = ask()
            told = trimmed(answer)
        except PodpathError as error:
            told = Raised(type(error).__name__, str(error))
            raise
        finally:
            with self._lock:
                self.tape.api.setdefault(key, []).append(told)
        return answer

    def _timed(self, which: str, what: str, value: Number) -> Number:
        with self._lock:
            self.tape.times.setdefault((ASKING.get(), which, what), []).append(value)
        return value


def api_key(method: str, path: str, more: Mapping[str, Any]) -> Key:
    """The key of a call of the API; how much of a list one answer holds is not part of it."""
    return ASKING.get(), method, path, repr(sorted(one for one in more.items() if one[0] != "limit"))
