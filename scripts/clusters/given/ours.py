"""Which namespaces are ours: those with our owner's label, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.errors import PodpathError
from scripts.stack.profile import OWNER_LABEL, Profile
from scripts.transport.rest import Rest

PREFIX = "podpath-"
"""How the names of the namespaces begin that a stack makes."""


def namespaces(api: Rest, profile: Profile) -> list[str]:
    """The namespaces that this stack made, by name."""
    return sorted(name for name, labels in _labels(api).items() if profile.owner.items() <= labels.items())


def refuse_strangers(api: Rest, profile: Profile) -> None:
    """Raises PodpathError for a namespace of a name of ours that this stack did not make."""
    for name, labels in _labels(api).items():
        if name.startswith(PREFIX) and not profile.owner.items() <= labels.items():
            owner = labels.get(OWNER_LABEL, "")
            whose = f"its owner is {owner}" if owner else f"it has no label {OWNER_LABEL}"
            raise PodpathError(
                f"the namespace {name} is there already, and stack {profile.stack} of this checkout did not "
                f"make it ({whose}): have it deleted by whoever made it, or use another cluster."
            )


def _labels(api: Rest) -> dict[str, Mapping[str, Any]]:
    """The labels of every namespace."""
    items = api.items("/api/v1/namespaces")
    return {item["metadata"]["name"]: item["metadata"].get("labels") or {} for item in items}
