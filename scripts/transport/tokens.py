"""Unique random text: nonces, boundaries of frames, names of temporary files.

It comes from the operating system's secure random source. While a run is recorded or replayed it is derived
from a seed instead, so that the replay sends the same nonces and gets the recorded answers.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class _Seeded:
    """Text derived from a seed, a scope and a counter for each scope: the order of threads has no effect."""

    def __init__(self, seed: str) -> None:
        self._seed, self._asked, self._lock = seed, Counter[str](), threading.Lock()

    def token(self, size: int, scope: str) -> str:
        with self._lock:
            self._asked[scope] += 1
            asked = self._asked[scope]
        return hashlib.shake_256(f"{self._seed}\0{scope}\0{asked}".encode()).hexdigest(size)


_seeded: _Seeded | None = None


def token(size: int, scope: str) -> str:
    """``size`` random bytes in hexadecimal; ``scope`` says who needs them, such as a probe's id."""
    return secrets.token_hex(size) if _seeded is None else _seeded.token(size, scope)


@contextmanager
def seeded(seed: str) -> Iterator[None]:
    """Derives all text from ``seed`` while the block runs: for recording and replaying only."""
    global _seeded
    before, _seeded = _seeded, _Seeded(seed)
    try:
        yield
    finally:
        _seeded = before
