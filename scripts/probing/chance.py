"""The chi-squared test: is a distribution of answers still explained by chance?"""

from __future__ import annotations

import math
from collections.abc import Sequence


def survival(x: float, degrees: int) -> float:
    """The probability that a chi-squared variable of ``degrees`` degrees of freedom exceeds ``x``.

    By the recurrence Q(k+2) = Q(k) + (x/2)^(k/2) e^(-x/2) / Gamma(k/2 + 1) from the closed forms for
    k = 1 and 2 (Abramowitz and Stegun, 26.4.8).
    """
    if degrees < 1:
        raise ValueError(f"degrees of freedom must be positive, not {degrees}")
    half = x / 2
    if half <= 0:  # also a positive x so small that its half is none
        return 1.0
    k, q = (1, math.erfc(math.sqrt(half))) if degrees % 2 else (2, math.exp(-half))
    while k < degrees:
        q += math.exp(k / 2 * math.log(half) - half - math.lgamma(k / 2 + 1))
        k += 2
    return min(q, 1.0)


def evenness(counts: Sequence[int]) -> float:
    """How probable counts at least this uneven are, if every bin has the same chance (0 to 1)."""
    total = sum(counts)
    if len(counts) < 2 or not total:
        return 1.0
    expected = total / len(counts)
    return survival(sum((count - expected) ** 2 / expected for count in counts), len(counts) - 1)
