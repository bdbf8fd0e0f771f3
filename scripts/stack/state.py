"""A stack's state as Pulumi's file backend keeps it: where it is, and what it knows."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.errors import PodpathError
from scripts.paths import STATE
from scripts.stack.profile import Profile

State = Mapping[str, Any]
"""The latest deployment of a checkpoint; empty before the first ``pulumi up``."""
UNREADABLE = (ValueError, KeyError, TypeError, EOFError, gzip.BadGzipFile, zlib.error, RecursionError)
"""What reading a damaged file of JSON can end in."""
OBJECT = "kubernetes:"
"""How the type of an object of the cluster begins, as in ``kubernetes:apps/v1:Deployment``."""


@dataclass(frozen=True)
class Recorded:
    """An object of the cluster that the stack made, as its state has it; no namespace: it is in none."""

    version: str
    """Its API group and version, such as ``apps/v1``; of the core group ``v1``."""
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" (namespace {self.namespace})" if self.namespace else "")


def state_file(profile: Profile) -> Path:
    """Where the file backend keeps the stack.

    With PULUMI_SELF_MANAGED_STATE_GZIP the user's own ``pulumi`` compresses it. Pulumi uses the newer of the
    two files, and so does this.
    """
    plain = STATE / "state" / ".pulumi" / "stacks" / "podpath" / f"{profile.stack}.json"
    packed = plain.with_name(f"{plain.name}.gz")
    if packed.exists() and not (plain.exists() and plain.stat().st_mtime_ns > packed.stat().st_mtime_ns):
        return packed
    return plain


def read_state(profile: Profile) -> State:
    """What the stack's state knows; raises FileNotFoundError where there is none, else PodpathError."""
    file = state_file(profile)
    data = file.read_bytes()
    try:
        loaded: State = json.loads(gzip.decompress(data) if file.suffix == ".gz" else data)
        latest: State = loaded["checkpoint"].get("latest") or {}
        if not all(isinstance(one["type"], str) for one in latest.get("resources") or ()):
            raise TypeError("a resource without a type")
    except (*UNREADABLE, AttributeError) as error:
        raise PodpathError(
            f"the stack's state {file} cannot be read ({type(error).__name__}): put Pulumi's copy {file}.bak "
            f"in its place, or begin anew by scripts/up {profile.stack} --fresh."
        ) from error
    return latest


def put_aside(profile: Profile) -> Path | None:
    """Renames a state that cannot be read, so that the stack can begin anew; gives its new name."""
    file = state_file(profile)
    try:
        read_state(profile)
    except FileNotFoundError:
        return None
    except PodpathError:
        return file.rename(file.with_name(f"{file.name}.unreadable"))
    return None


def interrupted(state: State) -> bool:
    """Whether it knows of operations that never ended."""
    return bool(state.get("pending_operations"))


def outputs(state: State) -> object:
    """The stack's outputs, secrets encrypted; None before the first ``pulumi up``."""
    resources = state.get("resources") or ()
    return next((one.get("outputs") for one in resources if one["type"] == "pulumi:pulumi:Stack"), None)


def recorded(state: State) -> list[Recorded]:
    """The objects that the stack made, except those that it is about to delete."""
    found = []
    for one in state.get("resources") or ():
        version, _, kind = one["type"].removeprefix(OBJECT).rpartition(":")
        made = one["type"].startswith(OBJECT) and one.get("id")
        if made and not one.get("delete") and not one.get("external"):
            namespace, _, name = one["id"].rpartition("/")
            found.append(Recorded(version.removeprefix("core/"), kind, namespace, name))
    return found
