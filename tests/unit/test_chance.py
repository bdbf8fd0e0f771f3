from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.checks.chance import binomial_tail, both_tails, wilson

TRIALS = st.integers(1, 120)


# Exact: sums of binomial coefficients over 2^n, and 1 - (1 - p)^n
@pytest.mark.parametrize(
    ("least", "trials", "chance", "exact"),
    [
        (0, 10, 0.5, 1),
        (10, 10, 0.5, 1 / 1024),
        (9, 10, 0.5, 11 / 1024),
        (6, 10, 0.5, 386 / 1024),
        (1, 40, 0.25, 1 - 0.75**40),
        (41, 40, 0.25, 0),
        (1, 1800, 0.02, 1 - 0.98**1800),
        (3, 3, 1.0, 1),
        (1, 5, 0.0, 0),
    ],
)
def test_binomial_tail(least: int, trials: int, chance: float, exact: float) -> None:
    assert binomial_tail(least, trials, chance) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("seen", "trials", "chance", "exact"),
    [
        (0, 10, 0.5, 2 / 1024),
        (10, 10, 0.5, 2 / 1024),
        (1, 10, 0.5, 22 / 1024),
        (5, 10, 0.5, 1),
        (0, 120, 0.25, 2 * 0.75**120),
        (120, 120, 0.25, 2 * 0.25**120),
    ],
)
def test_both_tails(seen: int, trials: int, chance: float, exact: float) -> None:
    assert both_tails(seen, trials, chance) == pytest.approx(exact, rel=1e-9, abs=0)


@given(TRIALS, st.floats(0.01, 0.99), st.data())
def test_both_tails_is_a_probability_and_the_same_from_the_other_side(
    trials: int, chance: float, data: st.DataObject
) -> None:
    seen = data.draw(st.integers(0, trials))
    one, other = both_tails(seen, trials, chance), both_tails(trials - seen, trials, 1 - chance)
    assert 0 <= one <= 1
    assert math.isclose(one, other, rel_tol=1e-6)


@pytest.mark.parametrize(("trials", "chance"), [(120, 0.25), (60, 0.5), (120, 1 / 3)])
def test_false_alarms_are_as_rare_as_promised(trials: int, chance: float) -> None:
    """The probability of all counts that are called too far out, summed exactly."""
    for rate in (0.001, 0.01, 0.1):
        alarms = math.fsum(
            math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
            for k in range(trials + 1)
            if both_tails(k, trials, chance) < rate
        )
        assert rate / 10 < alarms <= rate


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3, to four digits
@pytest.mark.parametrize(
    ("seen", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval(seen: int, trials: int, low: float, high: float) -> None:
    assert wilson(seen, trials) == pytest.approx((low, high), abs=5e-5)


@given(TRIALS, st.data())
def test_wilsons_interval_holds_the_share_and_is_the_same_from_the_other_side(
    trials: int, data: st.DataObject
) -> None:
    seen = data.draw(st.integers(0, trials))
    low, high = wilson(seen, trials)
    assert 0 <= low <= seen / trials + 1e-12 and seen / trials - 1e-12 <= high <= 1
    assert wilson(trials - seen, trials) == pytest.approx((1 - high, 1 - low))
