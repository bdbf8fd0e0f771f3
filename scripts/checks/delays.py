"""How long something took to follow a change, by the clocks of this machine and of the nodes."""

from __future__ import annotations

from collections.abc import Collection

from scripts.checks.verdict import Failure, Finding, inconclusive


def millis(at: int, since: int) -> float:
    """From one moment to another, both in nanoseconds since 1970, in milliseconds."""
    return round((at - since) / 1e6, 1)


def impossible(delays: Collection[float], limit: float) -> Finding | None:
    """A finding if one is negative or longer than anybody waited: ``limit`` is in seconds, they are in ms."""
    if min(delays) >= 0 and max(delays) <= 1000 * limit:
        return None
    between = f"{min(delays)} ms to {max(delays)} ms"
    return inconclusive(Failure.NO_EVIDENCE, f"the delays ({between}) are impossible: a clock jumped")
