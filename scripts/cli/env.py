"""`scripts/env`: prints the exports with which a bare `pulumi up` or `kubectl` works on a stack."""

from __future__ import annotations

import os
import shlex
import sys

from scripts.cli._arguments import Stack
from scripts.errors import EXIT_OK
from scripts.stack.profile import profile_of
from scripts.stack.variables import environment


def env(stack: Stack = "kind") -> int:
    """Prints what kubectl and pulumi need as exports for a shell: eval "$(scripts/env)"."""
    for name, value in environment(profile_of(stack).stack).items():
        # As bytes: a path is what it is, whatever a terminal can show of it.
        sys.stdout.buffer.write(os.fsencode(f"export {name}={shlex.quote(value)}\n"))
    return EXIT_OK
