"""`scripts/images push`: pushes our images into the registry that a stack names, for nodes to pull from."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from scripts.build.engine import ensure_engine
from scripts.build.pushing import push_all
from scripts.build.workloads import BASE, DERIVED
from scripts.clusters.given.life import PUSHED
from scripts.errors import EXIT_OK, UsageError
from scripts.stack.profile import profile_of


class Action(StrEnum):
    """What is done with the images."""

    PUSH = "push"


def images(
    action: Annotated[Action, typer.Argument(help="push: build the images, and push them.")],
    stack: Annotated[str, typer.Argument(help="The stack that names the registry.")],
) -> int:
    """Builds our images, pushes them into the registry that the stack names, and keeps their digests."""
    profile = profile_of(stack)
    if not profile.registry:
        lacks = f"{stack}.yaml names no " if profile.terms else f"Pulumi.{stack}.yaml names no podpath:"
        raise UsageError(f"stacks/{lacks}registry: write one, as images name it.")
    ensure_engine()
    pushed = push_all(profile.registry, names=DERIVED if profile.terms else (BASE, *DERIVED))
    if profile.terms:
        (profile.folder / PUSHED).write_text(json.dumps(pushed, indent=1))
    for reference in pushed.values():
        print(reference)
    print(f"Next: scripts/up {stack}")
    return EXIT_OK
