"""Waiting for a condition with a deadline: the only way anything here waits.

Code whose verdict depends on time reads the clock here and says what for, so that a replayed run can be given
the times of the recorded one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from scripts.errors import PodpathError

T = TypeVar("T")


@dataclass(frozen=True)
class Timeouts:
    """Every deadline of the product, in seconds."""

    engine: float = 60
    """dockerd answers after its start."""
    node: float = 300
    """kind has made a cluster."""
    joining: float = 120
    """Every node of a new cluster takes Pods."""
    lock: float = 1800
    """Another command, such as the first `scripts/up`, has ended."""
    dns: float = 120
    """CoreDNS is available."""
    balancer: float = 60
    """cloud-provider-kind has found the cluster."""
    deploy: float = 300
    """``pulumi up`` of the labs."""
    ready: float = 60
    """The labs have settled: Pods are ready, rules follow the endpoints, and entrances answer."""
    connect: float = 2
    """A probe's TCP connection, before it counts as timed out."""
    request: float = 10
    """A probe's whole request."""
    exec: float = 60
    """One exec in a Pod, however many probes it carries."""
    follow: float = 30
    """The cluster follows a change: endpoints, rules on every node, a proxy's routes."""
    replace: float = 60
    """An object that stood in the way is gone, so that a new one can replace it."""
    successor: float = 15
    """A new Pod has replaced a deleted one; where that takes longer, what rests on it is not judged."""


TIMEOUTS = Timeouts()


class Late(PodpathError):
    """Something did not happen within its deadline."""


class Clock:
    """This machine's clock; ``what`` says what the time is needed for."""

    def now(self, what: str) -> float:
        """The monotonic clock, in seconds."""
        return time.monotonic()

    def wall(self, what: str) -> int:
        """Nanoseconds since 1970."""
        return time.time_ns()

    def ended(self, event: threading.Event, seconds: float, what: str) -> bool:
        """Waits for ``event`` for at most ``seconds``; whether it was set."""
        return event.wait(seconds)


_clock = Clock()


def clock() -> Clock:
    """The clock in use."""
    return _clock


@contextmanager
def going_by(other: Clock) -> Iterator[None]:
    """Puts another clock in use while the block runs: one that records or replays."""
    global _clock
    before, _clock = _clock, other
    try:
        yield
    finally:
        _clock = before


def eventually(condition: Callable[[], T | None], deadline: float, what: str, every: float = 0.1) -> T:
    """The first truthy value of ``condition``, asked every ``every`` seconds for ``deadline`` seconds.

    Raises Late, which names ``what``, once the deadline has passed.
    """
    end = clock().now(what) + deadline
    never = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if clock().now(what) >= end:
            raise Late(f"gave up after {deadline:.0f} s waiting for {what}.")
        clock().ended(never, every, what)
