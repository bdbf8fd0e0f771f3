"""The shell in which a lesson is typed: one bash for all its commands, so that they share their variables."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

from scripts.errors import PodpathError
from scripts.paths import ROOT

LIMIT = 300.0
"""Seconds that one command may take."""
END = 10.0
"""Seconds in which the programs of a command that took too long must have ended."""


class Session:
    """A bash that runs commands one by one; as a context it ends with the block.

    Commands see what the ones before them set. They have no input, and no terminal: their output is plain.
    """

    def __init__(self, variables: Mapping[str, str], limit: float = LIMIT) -> None:
        self._limit = limit
        self._folder = tempfile.TemporaryDirectory(prefix="podpath-lesson-")
        self._command, self._output = (Path(self._folder.name) / name for name in ("command", "output"))
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **variables, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # an interrupt ends us; what we run is ended in its order
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_programs()
        self._bash.kill()
        self._bash.communicate()
        self._folder.cleanup()

    def run(self, command: str) -> list[str]:
        """The lines that a command writes, those to its standard error among them.

        Raises PodpathError when it takes longer than the limit; its programs are ended, the session lives.
        """
        self._command.write_text(f"{command}\n")
        stdin, stdout = self._bash.stdin, self._bash.stdout
        assert stdin is not None and stdout is not None
        stdin.write(f"source {self._command} >{self._output} 2>&1 </dev/null; echo $?\n".encode())
        stdin.flush()
        if not self._ends_within(self._limit):
            self._end_programs()
            if self._ends_within(END):
                stdout.readline()
            raise PodpathError(f"{command!r} did not end within {self._limit:g} s.")
        if not stdout.readline():
            raise PodpathError(f"{command!r} ended the shell it was typed in.")
        return self._output.read_text(errors="replace").splitlines()

    def _ends_within(self, seconds: float) -> bool:
        assert self._bash.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._bash.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def _end_programs(self) -> None:
        """Ends what runs below the shell, and whatever that goes on to start."""
        end = time.monotonic() + END
        while (running := [*_below(self._bash.pid)]) and time.monotonic() < end:
            for pid in running:
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    continue
            if self._ends_within(0.2):
                return


def _below(pid: int) -> Iterator[int]:
    """The processes that a process has started, and those that they have."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)
