"""Locks between processes, with a time limit; the kernel releases them when their holder ends in any way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from scripts.errors import PodpathError
from scripts.progress import say
from scripts.waiting import TIMEOUTS


@contextmanager
def locked(file: Path, holder: Callable[[], str], doing: str) -> Iterator[None]:
    """Holds the lock ``file`` while the block runs; waits for it, and says who is ``doing`` what meanwhile.

    ``holder`` names the process that has it. Raises PodpathError after
    ``TIMEOUTS.lock`` seconds.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{holder()} is {doing}; waiting for it to finish.")
        try:
            lock.acquire(timeout=TIMEOUTS.lock)
        except Timeout:
            late = f"{holder()} is still {doing} after {TIMEOUTS.lock:.0f} s"
            raise PodpathError(f"{late}: wait for it or stop it, then run this again.") from None
    try:
        yield
    finally:
        lock.release()
