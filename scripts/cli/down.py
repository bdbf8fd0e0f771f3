"""`scripts/down`: tears a stack down, says what it removed, and certifies that nothing is left."""

from __future__ import annotations

import time

from scripts.cli._arguments import Stack
from scripts.cli._restoring import restore_last
from scripts.clusters.base import provider_of
from scripts.errors import EXIT_ENVIRONMENT, EXIT_OK
from scripts.stack.lock import lock
from scripts.stack.profile import profile_of


def down(stack: Stack = "kind") -> int:
    """Removes everything that podpath made for the stack, its own cluster too, and certifies it."""
    profile = profile_of(stack)
    begun = time.monotonic()
    with lock(profile.cluster):
        provider = provider_of(profile)
        removed = provider.tear_down(profile, lambda: restore_last(profile))
        left = provider.leftovers(profile)
    for item in removed or ["there was nothing to remove"]:
        print(f"removed  {item}" if removed else item)
    for item in left:
        print(f"LEFT     {item}")
    if not left:
        took = time.monotonic() - begun
        nothing = f"no {provider.MAKES} of {stack!r} is left"
        print(f"Certified: {nothing} ({took:.1f} s).")
    print(f"Next: scripts/up {stack}")
    return EXIT_ENVIRONMENT if left else EXIT_OK
