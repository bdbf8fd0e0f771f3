"""Files of what is changed and not yet undone, a line each: the next command undoes what a killed one left.

A line is written before each change and goes once the change is undone. One process at a time may use such a
file, as long as it holds the lock of `scripts/probe`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from scripts.checks.undo import Api, Undo, restore
from scripts.errors import PodpathError
from scripts.transport.executor import Executor, Place

PATIENCE = 5.0
"""Seconds for which a command tries to undo something before it gives up."""
Entry = TypeVar("Entry")
Read = Callable[[Mapping[str, Any]], Entry]
"""Makes an entry of the fields of a line; may raise ValueError, KeyError, TypeError or AttributeError."""


class Journal(Generic[Entry]):
    """What is still to be undone: dataclasses, a line each. Threads may use it at the same time."""

    def __init__(self, file: Path, read: Read[Entry]) -> None:
        self._file, self._read, self._mutex = file, read, threading.Lock()

    def before_change(self, *entries: Entry) -> None:
        """Writes down how the changes that come next are undone."""
        with self._mutex, self._file.open("a+b") as out:
            torn = out.tell() and not self._file.read_bytes().endswith(b"\n")
            out.write((b"\n" if torn else b"") + written(entries).encode())

    def undone(self, *entries: Entry) -> None:
        """Removes what is undone."""
        with self._mutex:
            left = [one for one in self.pending() if one not in entries]
            if left:
                rewrite(self._file, written(left))
            else:
                self._file.unlink(missing_ok=True)

    def pending(self) -> list[Entry]:
        """What is written down; a line that was not written to its end belongs to a change never made."""
        try:
            return entries_of(self._file.read_text(errors="replace"), self._read)
        except FileNotFoundError:
            return []


class Changes(Journal[Undo]):
    """What scenarios have changed and not yet restored."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, _undo_of)

    def replay(self, api: Api, execute: Executor, tell: Callable[[str], None]) -> None:
        """Undoes what a killed run left changed, the last change first, and reports it in one line.

        What cannot be undone now, such as on a node that does not answer, is reported and kept for later.
        Raises PodpathError when the API server does not answer.
        """
        restored = []
        for undo in reversed(self.pending()):
            if undo.is_needed(api):
                try:
                    restore(undo, api, execute, PATIENCE)
                except PodpathError as error:
                    tell(f"a run was killed, and {error} The next command tries again.")
                    continue
                restored.append(undo.what)
            self.undone(undo)
        if restored:
            tell(f"a run was killed; restored what it had changed: {', '.join(restored)}")


def written(entries: Iterable[Any]) -> str:
    """Dataclasses as lines of a journal."""
    return "".join(json.dumps(asdict(one)) + "\n" for one in entries)


def entries_of(text: str, read: Read[Entry]) -> list[Entry]:
    """The entries of a journal's lines; one that was not written to its end, or is garbage, is left out."""
    found = []
    for line in text.splitlines():
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            found.append(read(json.loads(line)))
    return found


def rewrite(file: Path, text: str) -> None:
    """Puts a text in place of a file's at once: whoever is killed leaves the old one or the new one."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def _undo_of(told: Mapping[str, Any]) -> Undo:
    place = Place(**told["place"]) if told["place"] else told["place"]
    return Undo(**{**told, "place": place, "argv": tuple(told["argv"])})
