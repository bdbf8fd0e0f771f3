"""What the Pulumi stack exports about its labs, from the cache beside its state or from the CLI."""

from __future__ import annotations

import json
from typing import Any

from scripts.cluster.deploy import exports_file, pulumi, state_file
from scripts.cluster.profile import Profile
from scripts.errors import PodpathError


def exports_of(profile: Profile) -> dict[str, Any]:
    """The stack's outputs; raises PodpathError when nothing is deployed.

    ``scripts/up`` keeps them in exports.json. A ``pulumi up`` of the user's own makes the state file
    newer than that; then the CLI is asked, which takes a second or two.
    """
    cached, state = exports_file(profile), state_file(profile)
    nothing = f"stack {profile.stack} has no labs deployed: run scripts/up {profile.stack}."
    if not state.exists():
        raise PodpathError(nothing)
    fresh = cached.exists() and cached.stat().st_mtime >= state.stat().st_mtime
    text = cached.read_text() if fresh else pulumi(profile, "stack", "output", "--json")
    loaded: dict[str, Any] = json.loads(text)
    if not loaded.get("labs"):
        raise PodpathError(nothing)
    if not fresh:
        cached.write_text(text)
    return loaded
