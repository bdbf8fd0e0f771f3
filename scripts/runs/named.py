"""Finds a run by what a person calls it: its id or a prefix, its stack, its folder, or a JSON file of it."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scripts.errors import UsageError
from scripts.runs.document import Run
from scripts.runs.record import read, runs
from scripts.transport.executor import printable

LIST = "scripts/report lists the runs that are kept"


def run_named(text: str, folder: Path) -> Run:
    """The run that ``text`` names; a stack's name is its newest run.

    Raises UsageError if there is none, if several begin so, or if it cannot be read.
    """
    return read_any(folder_of(text, folder))


def folder_of(text: str, folder: Path) -> Path:
    """The folder, or the JSON file, of the run that ``text`` names; raises UsageError if there is none."""
    kept = runs(folder)
    by_id = [path for path in kept if path.name == text] or [
        path for path in kept if path.name.startswith(text) and text
    ]
    if len(by_id) > 1:
        raise UsageError(f"{len(by_id)} runs begin with {text!r}: type more of the id ({LIST}).")
    if by_id:
        return by_id[0]
    if of_stack := [path for path in kept if stack_of(path) == text]:
        return of_stack[-1]
    path = Path(text)
    if text and path.exists():
        return path
    raise UsageError(f"there is no run {text!r}: {LIST if kept else 'scripts/probe makes one'}.")


def newest(stack: str, count: int, folder: Path) -> list[Path]:
    """The folders of a stack's newest runs, the newest last; raises UsageError if there are fewer."""
    found = [path for path in runs(folder) if stack_of(path) == stack]
    if len(found) < count:
        kept = f"only {len(found)} of the {count} runs needed of stack {stack!r} is there"
        raise UsageError(f"{kept}: scripts/probe {stack} makes one.")
    return found[-count:]


def others_of(run: Run, without: Collection[str], folder: Path) -> list[Run]:
    """The complete runs of the same stack that are kept, but those with the ids ``without``."""
    found = []
    for path in runs(folder):
        if stack_of(path) == run.stack and path.name not in without:
            with suppress(UsageError):
                found.append(read_any(path))
    return [one for one in found if one.complete]


def stack_of(path: Path) -> str:
    """The stack in a run's id, which is ``<time>-<stack>``."""
    return path.name.partition("-")[2]


def has_ended(path: Path) -> bool:
    """Whether the run in a folder or a file came to any end: it was not killed, and does not still go on."""
    return path.is_file() or (path / "run.json").exists()


def read_any(path: Path) -> Run:
    """A run from its folder or its file; one that was killed at its very beginning has its id and stack.

    Raises UsageError if it cannot be read.
    """
    if path.is_file():
        return read_file(path)
    run = read(path)
    return run if run.id else run.model_copy(update={"id": path.name, "stack": stack_of(path)})


def read_file(path: Path) -> Run:
    """A run from the file of ``scripts/probe --json``; raises UsageError if it is none."""
    try:
        return Run.model_validate(_made_printable(json.loads(path.read_bytes())))
    except (OSError, ValidationError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"{path} holds no run that this version of podpath can read ({why}).") from None


def _made_printable(value: Any) -> Any:
    """The same document; whoever wrote the file may have put control characters into its texts."""
    if isinstance(value, dict):
        return {printable(key): _made_printable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [*map(_made_printable, value)]
    return printable(value) if isinstance(value, str) else value
