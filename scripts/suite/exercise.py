"""An exercise: a fault that a learner is looking for, and what the learner was told of it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.checks.base import Probe, runs_alone
from scripts.checks.request import Get
from scripts.evidence.fingerprint import Lines, difference
from scripts.fault._base import Fault, matches
from scripts.suite.journal import rewrite

OURS = (" folders: ", " neighbours: ")
"""Lines of a fingerprint that a learner need not restore: what stands beside a fault."""
MARKED = "['podpath/fault']"


@dataclass(frozen=True)
class Exercise:
    """What is kept of an exercise. ``before`` is the cluster's fingerprint, ``trace`` a request that worked.

    ``hints`` counts those that were given; ``revealed``: the cause may be told.
    """

    fault: str
    seed: int
    before: Mapping[str, int]
    trace: str = ""
    hints: int = 0
    revealed: bool = False

    def save(self, file: Path) -> None:
        """Writes it to the stack's folder."""
        rewrite(file, json.dumps({**vars(self), "before": dict(self.before)}))

    def left(self, now: Lines) -> list[str]:
        """What is not as it was before, in words; the marks of the exercise itself aside."""
        return difference(_unmarked(Counter(self.before)), _unmarked(now))


def load(file: Path) -> Exercise | None:
    """The exercise that is going on, if any."""
    try:
        return Exercise(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def fit(faults: Mapping[str, Fault], every: Sequence[tuple[str, Probe]], lab: str) -> list[str]:
    """The faults that turn a probe of a lab (empty: of any) red, in the order of their names."""
    ids = [one.id for of, one in every if not lab or of == lab]
    harmful = [(name, fault) for name, fault in sorted(faults.items()) if not fault.harmless]
    return [name for name, fault in harmful if any(matches(id, fault.must) for id in ids)]


def choose(names: Sequence[str], seed: int) -> str:
    """The one of several faults that a seed stands for."""
    return random.Random(seed).choice(names)


def traceable(fault: Fault, every: Sequence[tuple[str, Probe]]) -> Probe | None:
    """A probe that the fault turns red and whose request can be followed by hand."""
    for pattern in fault.must:
        for _, one in every:
            if matches(one.id, [pattern]) and isinstance(one.check, Get):
                return one
    return None


def judging(fault: Fault, every: Sequence[tuple[str, Probe]]) -> list[tuple[str, Probe]]:
    """The probes that say whether it is mended: those of the fault's claims that change nothing."""
    return [
        (lab, one)
        for lab, one in every
        if not runs_alone(one.check) and (one.claim in fault.claims or matches(one.id, fault.must))
    ]


def _unmarked(lines: Lines) -> Lines:
    kept: Lines = Counter()
    for line, count in lines.items():
        if not any(word in line for word in OURS):
            kept[line.replace(MARKED, "[]")] += count
    return kept
