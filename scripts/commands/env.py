"""`scripts/env`: the exports that make a bare `pulumi up` or `kubectl` work on a stack."""

from __future__ import annotations

import shlex

from scripts.cluster.profile import profile_of
from scripts.cluster.stackenv import environment
from scripts.commands.shell import Stack, start
from scripts.errors import EXIT_OK


def env(stack: Stack = "kind") -> int:
    """Prints export lines for a shell: eval "$(scripts/env)"."""
    for name, value in environment(profile_of(stack).stack).items():
        print(f"export {name}={shlex.quote(value)}")
    return EXIT_OK


if __name__ == "__main__":
    start(env)
