"""A scene in a file: everything in which causes were looked for while a fault stood on a real cluster.

Values are written as JSON with the name of their class, so that what is read back is equal to what was seen.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from scripts.causes.cover import ordered
from scripts.causes.scene import Cause, Scene
from scripts.evidence.conntrack import Index
from scripts.evidence.nodeview import Kernel
from scripts.suite.causes import found_in, roots_of
from tests.worlds.trim import trimmed

FOLDER = Path(__file__).parent / "scenes"
SUFFIX = ".json.xz"
TOGETHER = "+"
"""Between the names of two faults that stood at once."""
CLASS, ITEMS, PAIRS = "class", "items", "pairs"
OURS = "scripts."
"""Where the classes of what is read back may come from."""
PLAIN = ("datetime", "fractions", "ipaddress")
"""Modules whose values are made again from what they print."""


@dataclass(frozen=True)
class Recorded:
    """A recorded scene. ``faults`` are those that stood; ``named`` are the kinds that were told first."""

    faults: tuple[str, ...]
    named: tuple[str, ...]
    scene: Scene


def names() -> list[str]:
    """The names of all recorded scenes: a fault, or two with ``TOGETHER`` in between."""
    return sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))


def told_in(scene: Scene) -> tuple[list[Cause], list[Cause]]:
    """The causes that are told of a scene: those that explain a red, and the warnings."""
    roots = roots_of(scene)
    return ordered(found_in(roots), scene.reds)


def save(recorded: Recorded) -> Path:
    """Writes a scene to its file, without connections, and without what would identify the machine."""
    seen = recorded.scene
    lean = replace(
        seen,
        kernel=Kernel({node: replace(view, entries=()) for node, view in seen.kernel.nodes.items()}),
        pods=tuple(map(_lean, seen.pods)),
        policies=tuple(map(trimmed, seen.policies)),
        ingresses=tuple(map(trimmed, seen.ingresses)),
        routes=tuple(map(trimmed, seen.routes)),
        services=tuple(map(trimmed, seen.services)),
    )
    text = json.dumps(_told(replace(recorded, scene=lean)), separators=(",", ":"), sort_keys=True)
    path = FOLDER / f"{TOGETHER.join(recorded.faults)}{SUFFIX}"
    path.write_bytes(lzma.compress(text.encode()))
    return path


def _lean(pod: Any) -> Any:
    """A Pod without the names of its images, but with who owns it and what the kubelet says of it."""
    owners = pod["metadata"].get("ownerReferences")
    lean = trimmed(pod)
    return {**lean, "metadata": {**lean["metadata"], **({"ownerReferences": owners} if owners else {})}}


def load(name: str) -> Recorded:
    """Reads a scene from its file."""
    packed = (FOLDER / f"{name}{SUFFIX}").read_bytes()
    found = json.loads(lzma.decompress(packed), object_hook=_read)
    assert isinstance(found, Recorded)
    return found


def _told(value: Any) -> Any:
    if isinstance(value, Enum):
        return {CLASS: _name(type(value)), ITEMS: value.value}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        own = {name: _told(part) for name, part in parts.items() if not isinstance(part, Index)}
        return {CLASS: _name(type(value)), **own}
    if isinstance(value, Mapping):
        plain = all(isinstance(key, str) for key in value) and CLASS not in value
        if plain:
            return {key: _told(of) for key, of in value.items()}
        return {CLASS: PAIRS, ITEMS: [[_told(key), _told(of)] for key, of in value.items()]}
    if isinstance(value, (tuple, list, frozenset, set)):
        items = [
            _told(one) for one in (sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value)
        ]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {CLASS: _name(type(value)), ITEMS: items}
        return items if isinstance(value, list) else {CLASS: type(value).__name__, ITEMS: items}
    if isinstance(value, bytes):
        return {CLASS: "bytes", ITEMS: value.hex()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if type(value).__module__ in PLAIN:
        return {CLASS: _name(type(value)), ITEMS: str(value)}
    raise TypeError(f"{value!r} cannot be kept in a file")


_BUILTIN = {"tuple": tuple, "frozenset": frozenset, "set": set}


def _read(told: dict[str, Any]) -> Any:
    """The value of which a JSON object tells; what is in the object has been read already."""
    name = told.pop(CLASS, None)
    if name is None:
        return told
    if name == PAIRS:
        return dict(told[ITEMS])
    if name == "bytes":
        return bytes.fromhex(told[ITEMS])
    if name in _BUILTIN:
        return _BUILTIN[name](told[ITEMS])
    found = _class(name)
    if ITEMS not in told:
        return found(**told)
    items: Sequence[Any] | Any = told[ITEMS]
    if found is datetime:
        return datetime.fromisoformat(str(items))
    return found(*items) if isinstance(items, list) else found(items)


def _name(of: type) -> str:
    return f"{of.__module__}:{of.__qualname__}"


@cache
def _class(name: str) -> Any:
    module, _, of = name.partition(":")
    if not (module.startswith((OURS, "tests.worlds.")) or module in PLAIN):
        raise ValueError(f"{name} is none of podpath's classes")
    return getattr(import_module(module), of)
