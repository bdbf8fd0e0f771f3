"""A program that runs at a place between two execs: started, looked at, stopped.

No channel stays open while it runs, so the transport's own packets do not mix with what it observes. It ends
by itself after ``LONGEST`` seconds: an interrupted run leaves nothing behind.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError, text_of
from scripts.transport.tokens import token

First = TypeVar("First")
Second = TypeVar("Second")
LONGEST = 60
"""Seconds after which the program ends even if nobody stopped it."""
EVERY = 0.02
"""Seconds between two looks whether it is ready or has ended: to look all the time takes a processor."""

_START = """\
file=$1 ready=$2; shift 2
setsid timeout "$LONGEST" "$@" </dev/null >"$file" 2>"$file.err" & pid=$!; echo $pid >"$file.pid"
until grep -aq "$ready" "$file" "$file.err" 2>/dev/null; do
    kill -0 $pid 2>/dev/null || { cat "$file.err" >&2; exit 1; }
    sleep $EVERY
done
""".replace("$LONGEST", str(LONGEST)).replace("$EVERY", str(EVERY))
_STOP = """\
read -r pid <"$1.pid" || exit 1
kill "$pid" 2>/dev/null
while kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
    sleep $EVERY
done
cat "$1.err" >&2; cat "$1"; rm -f "$1" "$1.err" "$1.pid"
""".replace("$EVERY", str(EVERY))


@dataclass(frozen=True)
class Background:
    """One such program. Its output is kept in ``file`` at its place until it is stopped."""

    execute: Executor
    place: Place
    file: str

    def peek(self) -> bytes:
        """What it has printed so far; raises PodExecError."""
        return self.execute(self.place, ["cat", self.file]).stdout

    def stop(self) -> CompletedExec:
        """Ends it by SIGTERM, waits for its end and gives all that it printed; raises PodExecError."""
        return self.execute(self.place, ["sh", "-c", _STOP, "sh", self.file])


def start(execute: Executor, place: Place, argv: Sequence[str], ready: str) -> Background:
    """Starts ``argv`` at ``place``; returns once it has printed ``ready`` (a basic regular expression).

    Raises PodExecError with its last line if it ends before that.
    """
    file = f"/tmp/podpath-{token(6, f'{place} {shlex.join(argv)}')}"
    done = execute(place, ["sh", "-c", _START, "sh", file, ready, *argv])
    if done.returncode != 0:
        said = text_of(done.stderr).strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise PodExecError(f"{argv[0]} did not start in {place}: {said[0]}")
    return Background(execute, place, file)


@contextmanager
def at_once(
    first: AbstractContextManager[First], second: AbstractContextManager[Second]
) -> Iterator[tuple[First, Second]]:
    """Both at the same time: entered together, and left together when the block ends."""
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.submit(first.__enter__), threads.submit(second.__enter__)
        try:
            yield one.result(), other.result()
        finally:
            entered = [first] * (one.exception() is None), [second] * (other.exception() is None)
            leaving = [threads.submit(each.__exit__, None, None, None) for of in entered for each in of]
            for future in leaving:
                future.result()
