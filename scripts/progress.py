"""Progress of long work on stderr: a line when a step starts (on a terminal) and one when it ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_COLOR = sys.stderr.isatty() and "NO_COLOR" not in os.environ


def say(text: str) -> None:
    """Prints one line of progress."""
    with _lock:
        print(text, file=sys.stderr, flush=True)


def _mark(sign: str, colour: str) -> str:
    return f"\x1b[{colour}m{sign}\x1b[0m" if _COLOR else sign


@contextmanager
def step(what: str) -> Iterator[None]:
    """Prints how long the block took, or that it failed; steps of several threads may overlap."""
    start = time.monotonic()
    if _COLOR:
        say(f"{_mark('…', '2')} {what}")
    try:
        yield
    except BaseException:
        say(f"{_mark('✗', '31')} {what} ({time.monotonic() - start:.1f} s)")
        raise
    say(f"{_mark('✓', '32')} {what} ({time.monotonic() - start:.1f} s)")
