"""Objects of the stack that disappeared behind Pulumi's back: its state has them, the cluster does not.

Without a refresh ``pulumi up`` believes its state, and calls a Pod unchanged that was deleted long ago.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from scripts.errors import NotThere
from scripts.stack.profile import Profile
from scripts.stack.state import Recorded, read_state, recorded, state_file
from scripts.transport.rest import Rest
from scripts.waiting import TIMEOUTS, eventually

ASKED_AT_ONCE = 8
ENDED = ("Failed", "Succeeded")
"""Phases of a Pod that will never run again, such as one that was evicted."""


def lost(profile: Profile, api: Rest) -> list[Recorded]:
    """The objects of the stack that the cluster no longer has, that are being deleted, or that have ended."""
    if not state_file(profile).exists():
        return []
    known = recorded(read_state(profile))
    standing = {
        of: {_place(item) for item in api.items(list_path(*of)) if _stands(item)}
        for of in {(one.version, one.kind) for one in known}
    }
    return [one for one in known if (one.namespace, one.name) not in standing[one.version, one.kind]]


def lost_of_ours(profile: Profile, api: Rest) -> list[Recorded]:
    """The same where the cluster is shared: each object is asked for by itself, and nothing else is read."""
    if not state_file(profile).exists():
        return []
    known = recorded(read_state(profile))

    def stands(one: Recorded) -> bool:
        try:
            return _stands(api.get(path_of(one)))
        except NotThere:
            return False

    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return [one for one, there in zip(known, pool.map(stands, known), strict=True) if not there]


def clear(objects: list[Recorded], api: Rest) -> None:
    """Removes what is left of them, so that they can be made again; raises Late."""
    for one in objects:
        if not _gone(api, path_of(one)):
            api.delete(path_of(one), **({"gracePeriodSeconds": "0"} if one.kind == "Pod" else {}))
            eventually(partial(_gone, api, path_of(one)), TIMEOUTS.replace, f"{one} to be gone")


def list_path(version: str, kind: str) -> str:
    """Where the API server lists all objects of a kind."""
    word = kind.lower()
    plural = re.sub(r"([^aeiou])y$", r"\1ie", f"{word}e" if word.endswith("s") else word) + "s"
    return f"/{'apis' if '/' in version else 'api'}/{version}/{plural}"


def path_of(one: Recorded) -> str:
    """Where the API server has an object."""
    top, _, plural = list_path(one.version, one.kind).rpartition("/")
    where = f"namespaces/{one.namespace}/" if one.namespace else ""
    return f"{top}/{where}{plural}/{one.name}"


def _stands(item: Mapping[str, Any]) -> bool:
    phase = (item.get("status") or {}).get("phase") if "containers" in (item.get("spec") or {}) else ""
    return "deletionTimestamp" not in item["metadata"] and phase not in ENDED


def _place(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _gone(api: Rest, path: str) -> bool:
    try:
        api.get(path)
    except NotThere:
        return True
    return False
