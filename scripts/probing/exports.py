"""What the Pulumi stack exports about its labs, from the cache beside its state or from the CLI."""

from __future__ import annotations

import json
from typing import Any

from scripts.cluster.deploy import kept_exports, read_exports, state_file
from scripts.cluster.profile import Profile
from scripts.errors import PodpathError


def exports_of(profile: Profile) -> dict[str, Any]:
    """The stack's outputs; raises PodpathError when nothing is deployed.

    ``scripts/up`` keeps them in exports.json. A ``pulumi up`` of the user's own makes the state file
    newer than that; then the CLI is asked, which takes a second or two.
    """
    nothing = f"stack {profile.stack} has no labs deployed: run scripts/up {profile.stack}."
    if not state_file(profile).exists():
        raise PodpathError(nothing)
    loaded: dict[str, Any] = json.loads(kept_exports(profile) or read_exports(profile))
    if not loaded.get("labs"):
        raise PodpathError(nothing)
    return loaded
