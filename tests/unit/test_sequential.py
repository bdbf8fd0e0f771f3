from __future__ import annotations

import math
import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.checks.sequential import SequentialTest

ALPHA, BETA, DELTA = 0.001, 0.01, 0.15
THIRDS = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
UNEQUAL = {"a": 0.5, "b": 0.3, "c": 0.2}
BORDER = {"a": 1 / 3 + DELTA, "b": 1 / 3 - DELTA / 2, "c": 1 / 3 - DELTA / 2}
UNLIKELY = 0.001


def run(test: SequentialTest, truth: Mapping[str, float], chance: random.Random) -> SequentialTest:
    names, weights = [*truth], [*truth.values()]
    while not test.decision:
        any(map(test.add, chance.choices(names, weights, k=50)))
    return test


def at_least(successes: int, runs: int, rate: float) -> float:
    """The exact binomial probability of as many successes or more."""
    return 1 - math.fsum(math.comb(runs, i) * rate**i * (1 - rate) ** (runs - i) for i in range(successes))


def test_the_binomial_bound_itself() -> None:
    assert at_least(0, 10, 0.3) == 1
    assert at_least(10, 10, 0.5) == pytest.approx(2**-10)
    assert at_least(9, 2000, ALPHA) < UNLIKELY < at_least(8, 2000, ALPHA)


@pytest.mark.parametrize(
    ("given", "truth", "right", "wrong_rate", "runs", "most"),
    [
        (THIRDS, THIRDS, "fair", ALPHA, 2000, 200),
        (THIRDS, {"a": 0.5, "b": 0.5, "c": 0}, "unfair", BETA, 2000, 30),
        (THIRDS, {"a": 0.6, "b": 0.2, "c": 0.2}, "unfair", BETA, 2000, 75),
        (THIRDS, BORDER, "unfair", BETA, 400, 250),
        (UNEQUAL, UNEQUAL, "fair", ALPHA, 1000, 200),
        (UNEQUAL, THIRDS, "unfair", BETA, 400, 160),
        (THIRDS, {"a": 0.28, "b": 0.28, "c": 0.28, "stranger": 0.16}, "unfair", BETA, 400, 10),
    ],
)  # fmt: skip
def test_error_rates_hold(
    given: dict[str, float], truth: dict[str, float], right: str, wrong_rate: float, runs: int, most: int
) -> None:
    chance = random.Random(f"{given}{truth}")
    tests = [run(SequentialTest(given, ALPHA, BETA, DELTA), truth, chance) for _ in range(runs)]
    wrong = sum(test.decision != right for test in tests)
    assert at_least(wrong, runs, wrong_rate) > UNLIKELY, f"{wrong} of {runs} were not called {right}"
    assert sum(test.asked for test in tests) / runs < most


SHARES = st.lists(st.integers(1, 20), min_size=1, max_size=5)
ANSWERS = st.lists(st.integers(0, 4), max_size=200)


@given(SHARES, ANSWERS)
def test_unfair_is_the_mixture_ratio_in_closed_form(weights: list[int], answers: list[int]) -> None:
    p = [weight / sum(weights) for weight in weights]
    k = len(p)
    test = SequentialTest({str(i): share for i, share in enumerate(p)})
    for answer in answers:
        decision = test.add(str(answer % k))
        counts = [test.counts[str(i)] for i in range(k)]
        ratio = math.lgamma(k) - math.lgamma(test.asked + k)
        ratio += math.fsum(
            math.lgamma(n + 1) - n * math.log(share) for n, share in zip(counts, p, strict=True)
        )
        if abs(ratio - math.log(1000)) > 1e-6:
            assert (decision == "unfair") == (ratio > math.log(1000))
        if decision:
            break


def log_likelihood(q: list[float], counts: list[int]) -> float:
    return math.fsum(
        n * math.log(share) if share > 0 else -math.inf for n, share in zip(counts, q, strict=True) if n
    )


# of a step that divides DELTA, so that there are points on the border itself
GRID = [(i / 20, j / 20, (20 - i - j) / 20) for i in range(21) for j in range(21 - i)]


@given(st.sampled_from([(0.35, 0.35, 0.3), (0.5, 0.3, 0.2), (0.9, 0.05, 0.05), (0.05, 0.85, 0.1)]), st.data())
def test_fair_means_that_no_distant_distribution_explains_the_answers(
    p: tuple[float, float, float], data: st.DataObject
) -> None:
    test = SequentialTest(dict(zip("abc", p, strict=True)), delta=DELTA)
    run(test, dict(zip("abc", p, strict=True)), random.Random(data.draw(st.integers(0, 10**6))))
    if test.decision == "fair":
        counts = [test.counts[name] for name in "abc"]
        ours = log_likelihood([*p], counts)
        for q in GRID:
            if sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2 >= DELTA - 1e-9:
                assert ours - log_likelihood([*q], counts) >= math.log(1 / BETA) - 1e-6, q


@pytest.mark.parametrize("share", [0.5, 0.7, 0.84, 0.85, 0.95])
def test_two_categories_stop_exactly_at_the_bound(share: float) -> None:
    """With two categories the best distant distribution is one of two: the border on either side."""
    p, borders = [share, 1 - share], [share - DELTA, share + DELTA]
    test = SequentialTest({"a": p[0], "b": p[1]})
    chance = random.Random(7)
    while not test.decision:
        before = test.counts.copy()
        test.add("a" if chance.random() < share else "b")
    assert test.decision == "fair"

    def far(counts: dict[str, int]) -> bool:
        n = [counts["a"], counts["b"]]
        best = max(log_likelihood([q, 1 - q], n) for q in borders if q <= 1 + 1e-9)
        best = max(best, sum(n) * math.log(1 - DELTA) + log_likelihood([n[0] / sum(n), n[1] / sum(n)], n))
        return abs(n[0] / sum(n) - share) < DELTA and log_likelihood(p, n) - best >= math.log(1 / BETA)

    assert far(test.counts) and not far(before)


def test_one_category_is_fair_once_a_stranger_would_have_shown() -> None:
    test = SequentialTest({"a": 1.0})
    while not test.add("a"):
        pass
    assert test.decision == "fair" and test.asked == math.ceil(math.log(BETA) / math.log(1 - DELTA)) == 29


def test_what_has_no_share_is_unfair_at_once() -> None:
    stranger = SequentialTest(THIRDS)
    stranger.add("a")
    assert stranger.add("x") == "unfair" and stranger.asked == 2
    assert "x answered" in stranger.told() and "give nothing" in stranger.told()
    nobody = SequentialTest(THIRDS)
    assert nobody.add("") == "unfair" and "somebody unnamed answered" in nobody.told()
    none = SequentialTest({"a": 0.5, "b": 0.5, "c": 0.0})
    assert none.add("c") == "unfair" and none.counts == {"a": 0, "b": 0, "c": 1}


def test_nothing_changes_a_decision() -> None:
    test = run(SequentialTest(THIRDS), THIRDS, random.Random(1))
    said = (test.decision, test.asked, test.told())
    assert test.add("x") == "fair" and (test.decision, test.asked, test.told()) == said


def test_a_sentence_for_people() -> None:
    test = SequentialTest(THIRDS)
    test.add("a")
    assert test.told() == (
        "1 answer (a 1, b 0, c 0) cannot tell yet whether all follow the rules' shares "
        "(a 33.3%, b 33.3%, c 33.3%)"
    )
    for _ in range(20):
        test.add("a")
    assert test.told() == (
        "11 answers (a 11, b 0, c 0) do not follow the rules' shares (a 33.3%, b 33.3%, c 33.3%): "
        "of tests with answers that do, at most 1 in 1,000 ends so"
    )
    fair = run(SequentialTest(THIRDS), THIRDS, random.Random(1))
    assert fair.told().endswith("of tests with any Pods off by 15% or more, at most 1.00% end so")


def test_many_categories_are_told_apart_singly() -> None:
    many = {str(i): 1 / 20 for i in range(20)}
    test = run(SequentialTest(many), many, random.Random(3))
    assert test.decision == "fair" and "any single Pod off" in test.told()
    skewed = {name: 0.2 if name == "0" else 0.8 / 19 for name in many}
    assert run(SequentialTest(many), skewed, random.Random(3)).decision == "unfair"


@pytest.mark.parametrize(
    ("given", "rates", "why"),
    [
        ({"a": 0.5, "b": 0.4}, {}, "sum to 1"),
        ({"a": 1.5, "b": -0.5}, {}, "not negative"),
        ({}, {}, "sum to 1"),
        (THIRDS, {"alpha": 0.0}, "between 0 and 1"),
        (THIRDS, {"beta": 1.0}, "between 0 and 1"),
        (THIRDS, {"delta": -1.0}, "between 0 and 1"),
    ],
)
def test_what_is_no_question_is_refused(given: dict[str, float], rates: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        SequentialTest(given, **rates)
