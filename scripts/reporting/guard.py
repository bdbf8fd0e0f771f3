"""Keeps observers from harming a run: one that fails is reported once, and gets no more events."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from scripts.reporting.files import harmless
from scripts.runs.events import Event


class Reporter(Protocol):
    """An observer that is opened before a run and closed after it."""

    def __enter__(self) -> Self:
        """Opens it."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        ...

    def __call__(self, event: Event) -> None:
        """Observes an event."""
        ...


class Guarded:
    """A reporter whose errors end nothing but itself; ``what`` names it in the sentence that tells one."""

    def __init__(self, what: str, reporter: Reporter) -> None:
        self._what, self._reporter, self._works = what, reporter, True

    def __enter__(self) -> Guarded:
        """Opens the reporter; one that cannot be opened gets no events."""
        self._works = False
        with harmless(f"{self._what} failed"):
            self._reporter.__enter__()
            self._works = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the reporter, also one that has failed."""
        with harmless(f"{self._what} failed"):
            self._reporter.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        """Passes an event on to a reporter that has not failed yet."""
        if self._works:
            self._works = False
            with harmless(f"{self._what} failed"):
                self._reporter(event)
                self._works = True
