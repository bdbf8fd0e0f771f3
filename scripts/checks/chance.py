"""How probable a count is, if chance alone is at work."""

from __future__ import annotations

import math

SELDOM = 1e-6
"""How often chance alone may make a probe red: runs are many, and no red may be false."""


def binomial_tail(least: int, trials: int, chance: float) -> float:
    """The probability of ``least`` or more successes in ``trials`` with this chance each."""
    if least <= 0:
        return 1.0
    if not 0 < chance < 1:
        return float(chance > 0 and least <= trials)
    yes, no = math.log(chance), math.log1p(-chance)  # the ways themselves are too many for a float
    return math.fsum(
        math.exp(math.log(math.comb(trials, k)) + k * yes + (trials - k) * no)
        for k in range(least, trials + 1)
    )


def both_tails(seen: int, trials: int, chance: float) -> float:
    """How probable a count at least this far out is, on its own side, doubled (0 to 1)."""
    least, most = binomial_tail(seen, trials, chance), binomial_tail(trials - seen, trials, 1 - chance)
    return min(1.0, 2 * min(least, most))


def wilson(seen: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of the chance behind ``seen`` of ``trials``, at 95 % for z = 1.96 (Wilson, 1927)."""
    share = seen / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
