"""What the Pulumi stack exports about its labs, from the cache beside its state or from the CLI."""

from __future__ import annotations

import json
from typing import Any

from scripts.errors import PodpathError
from scripts.stack.deploy import kept_exports, read_exports
from scripts.stack.profile import Profile
from scripts.stack.state import UNREADABLE, state_file


def outputs_of(profile: Profile) -> dict[str, Any]:
    """The stack's outputs; raises PodpathError when nothing is deployed.

    ``scripts/up`` keeps them in exports.json. A ``pulumi up`` by the user makes the state file
    newer than that; then the CLI is asked, which takes a second or two.
    """
    nothing = f"stack {profile.stack} has no labs deployed: run scripts/up {profile.stack}."
    if not state_file(profile).exists():
        raise PodpathError(nothing)
    loaded = _mapping(kept_exports(profile) or "") or _mapping(read_exports(profile))
    if not loaded.get("labs"):
        raise PodpathError(nothing)
    return loaded


def _mapping(text: str) -> dict[str, Any]:
    """What a text in JSON holds; nothing where it is damaged, or no mapping with labs in it."""
    try:
        loaded = json.loads(text)
        return loaded if isinstance(loaded["labs"], dict) else {}
    except UNREADABLE:
        return {}
