"""A sequential test: do answers come from the backends with the probabilities that the rules give them?

It takes one answer after another and stops as soon as it knows. Both error rates hold no matter when one
looks or stops (Ville's inequality), so the number of requests need not be planned.

Feed answers in the order of their requests. In the order of their completion, a slow Pod's answers come
late, and the first ones are no fair sample.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

Decision = Literal["fair", "unfair"]

MOST_CATEGORIES = 12
"""Up to this many categories, all their sets are tested (2^12); beyond, single ones and all but one."""


@dataclass(frozen=True)
class _Excess:
    """The distributions that give the categories ``members`` together ``share`` or more."""

    members: tuple[int, ...]
    share: float
    log_share: float
    log_rest: float


class SequentialTest:
    """Decides between the given probabilities and every distribution that differs by ``delta`` or more.

    ``alpha`` bounds how often answers with just these probabilities are called unfair, ``beta`` how often
    answers of a distribution at least ``delta`` away are called fair (total variation distance: the
    largest difference in the probability of any set of categories, of which there may be unknown ones).
    What lies between may become either. With more than ``MOST_CATEGORIES``, beta holds only where one
    category alone is off by ``delta``.

    Unfair: the answers are 1/alpha times as probable under the mixture of all distributions (Dirichlet
    with all parameters 1) as under the given one; that ratio is a martingale under the given one. Fair:
    they are 1/beta times as probable under the given distribution as under the best of those that far
    away. An answer of a category without a probability is unfair at once.
    """

    def __init__(
        self,
        probabilities: Mapping[str, float],
        alpha: float = 0.001,
        beta: float = 0.01,
        delta: float = 0.15,
    ) -> None:
        if not all(0 < bound < 1 for bound in (alpha, beta, delta)):
            raise ValueError(f"alpha, beta and delta lie between 0 and 1, not at {alpha}, {beta}, {delta}")
        total = math.fsum(probabilities.values())
        if abs(total - 1) > 1e-6 or min(probabilities.values()) < 0:
            raise ValueError(f"probabilities are not negative and sum to 1, not to {total}")
        self.alpha, self.beta, self.delta = alpha, beta, delta
        self.probabilities = {name: p / total for name, p in probabilities.items() if p > 0}
        self.decision: Decision | None = None
        self.counts = dict.fromkeys(probabilities, 0)
        self.stranger: str | None = None
        self._index = {name: i for i, name in enumerate(self.probabilities)}
        self._n = [0] * len(self._index)
        self._log_p = [math.log(p) for p in self.probabilities.values()]
        self._excesses = [*_excesses([*self.probabilities.values()], delta)]
        self._unlikely, self._distant = -math.log(alpha), -math.log(beta)
        self._asked = 0
        self._given = 0.0  # log-likelihood of the given distribution
        self._mixture = 0.0  # log of the mixture's likelihood over it
        self._entropic = 0.0  # sum of n_i log n_i
        self._obstacle = self._excesses[0]  # what last spoke against "fair", and likely does again

    @property
    def asked(self) -> int:
        """Answers taken: up to and with the one that decided."""
        return self._asked

    def add(self, category: str) -> Decision | None:
        """Takes an answer and returns the decision, if there is one; answers after it change nothing."""
        if self.decision:
            return self.decision
        self._asked += 1
        self.counts[category] = self.counts.get(category, 0) + 1
        i = self._index.get(category)
        if i is None:
            self.stranger, self.decision = category, "unfair"
            return self.decision
        had = self._n[i]
        self._n[i] = had + 1
        self._given += self._log_p[i]
        # the mixture's probability of the next answer is (n_i + 1) / (n + k)
        self._mixture += math.log((had + 1) / (self._asked - 1 + len(self._n))) - self._log_p[i]
        self._entropic += _xlogx(had + 1) - _xlogx(had)
        if self._mixture > self._unlikely:
            self.decision = "unfair"
        elif not self._possible(self._obstacle) and not any(map(self._possible, self._excesses)):
            self.decision = "fair"
        return self.decision

    def _possible(self, excess: _Excess) -> bool:
        """Whether the best distribution with this excess explains the answers well enough to matter.

        With q(A) = share as its bound, the likelihood is greatest where the categories keep their
        proportions within A and outside of it; if more than that share fell into A, nothing is bounded.
        """
        inside = sum([self._n[i] for i in excess.members])
        outside = self._asked - inside
        if inside < excess.share * self._asked:
            best = (
                self._entropic
                - _xlogx(inside)
                - _xlogx(outside)
                + inside * excess.log_share
                + outside * excess.log_rest
            )
            if self._given - best >= self._distant:
                return False
        self._obstacle = excess
        return True

    def told(self) -> str:
        """The state of the test in a sentence."""
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        shares = ", ".join(f"{name} {p:.1%}" for name, p in self.probabilities.items())
        head = f"{self.asked} {'answer' if self.asked == 1 else 'answers'} ({counts})"
        if self.stranger is not None:
            who = self.stranger or "somebody unnamed"
            return f"{head}: {who} answered, to which the rules ({shares}) give nothing"
        if self.decision == "unfair":
            return (
                f"{head} do not follow the rules' shares ({shares}): "
                f"of tests with answers that do, at most 1 in {1 / self.alpha:,.0f} ends so"
            )
        if self.decision == "fair":
            whose = "any Pods" if len(self._n) <= MOST_CATEGORIES else "any single Pod"
            return (
                f"{head} follow the rules' shares ({shares}): "
                f"of tests with {whose} off by {self.delta:.0%} or more, at most {self.beta:.2%} end so"
            )
        return f"{head} cannot tell yet whether all follow the rules' shares ({shares})"


def _xlogx(n: int) -> float:
    return n * math.log(n) if n else 0.0


def _excesses(p: list[float], delta: float) -> Iterator[_Excess]:
    """Every set of categories that can have ``delta`` more than ``p`` gives it, hard cases first.

    The empty set stands for a category that ``p`` does not know.
    """
    for members in _sets(len(p)):
        share = math.fsum(p[i] for i in members) + delta
        rest = 1 - share
        if rest > 1e-9:
            yield _Excess(members, share, math.log(share), math.log(rest))
        elif rest > -1e-9:  # all answers would be of these
            yield _Excess(members, 1.0, 0.0, -math.inf)


def _sets(k: int) -> Iterator[tuple[int, ...]]:
    sizes: Collection[int] = range(k) if k <= MOST_CATEGORIES else (0, 1, k - 1)
    for size in sizes:
        yield from combinations(range(k), size)
