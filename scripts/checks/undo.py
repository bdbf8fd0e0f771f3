"""How a scenario's change of the cluster is undone: known before the change is made, verified after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scripts.errors import NotThere, PodpathError
from scripts.transport.executor import Executor, Place, PodExecError
from scripts.waiting import Late, eventually

LIMIT = 10.0
"""Seconds that a program which undoes something may take."""


class Api(Protocol):
    """What scenarios need of the API server, and what undoes their changes."""

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET as JSON; raises NotThere for what the server does not have."""
        ...

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """PATCH by a JSON merge patch."""
        ...

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """DELETE as JSON."""
        ...


@dataclass(frozen=True)
class Undo:
    """One change of an object, undone by a JSON merge patch of it or by a program in it, as often as need be.

    ``what`` names it, as in "label app of Pod spare". ``path`` is the object's in the API; one with another
    ``uid`` was never changed.
    """

    what: str
    path: str
    uid: str
    patch: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None
    argv: tuple[str, ...] = ()

    def is_needed(self, api: Api) -> bool:
        """Whether the object is there and may still be changed; raises PodpathError."""
        try:
            now = api.get(self.path)
        except NotThere:
            return False
        same = now["metadata"].get("uid", "") == self.uid
        return same and (self.place is not None or not has(now, self.patch))

    def play(self, api: Api, execute: Executor) -> None:
        """Undoes it and checks that it is undone; raises PodpathError and PodExecError."""
        if self.place is not None:
            done = execute(self.place, self.argv, timeout=LIMIT)
            if done.returncode:
                raise PodpathError(f"{self.argv[0]} in {self.place} ended with {done.returncode}.")
        else:
            api.patch(self.path, self.patch)
            if not has(api.get(self.path), self.patch):
                raise PodpathError(f"the API server accepted the change of {self.path} but does not have it.")


def restore(undo: Undo, api: Api, execute: Executor, patience: float) -> None:
    """Plays an undo until it is verified; raises PodpathError after ``patience`` seconds."""
    why = ""

    def undone() -> bool:
        nonlocal why
        try:
            undo.play(api, execute)
        except (PodpathError, PodExecError) as error:
            why = str(error).rstrip(".")
            return _is_gone(undo, api)
        return True

    try:
        eventually(undone, patience, undo.what)
    except Late as late:
        raise PodpathError(f"the {undo.what} could not be restored within {patience:g} s: {why}.") from late


def reverse(change: Mapping[str, Any], was: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch (RFC 7386) that takes back ``change`` of an object as it ``was``; what is new goes."""
    back: dict[str, Any] = {}
    for key, value in change.items():
        before = was.get(key)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        back[key] = reverse(value, before) if both else before  # type: ignore[arg-type]
    return back


def has(now: Mapping[str, Any], patch: Mapping[str, Any]) -> bool:
    """Whether an object is as a merge patch makes it."""
    for key, value in patch.items():
        there = now.get(key)
        if isinstance(value, Mapping):
            if not has(there if isinstance(there, Mapping) else {}, value):
                return False
        elif there != value:
            return False
    return True


def _is_gone(undo: Undo, api: Api) -> bool:
    """Whether the object is not there any more, so that there is nothing to undo."""
    try:
        return bool(api.get(undo.path)["metadata"].get("uid", "") != undo.uid)
    except NotThere:
        return True
    except PodpathError:
        return False
