"""Which scenario is asking: scenarios run concurrently, and each has its own answers in a recording."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace

from scripts.checks.base import Check, Observation, Probe, Scenario, Stage, Work
from scripts.checks.verdict import Finding
from scripts.evidence.view import View
from scripts.transport.executor import Place

ASKING: ContextVar[str] = ContextVar("asking", default="")
"""The id of the probe whose scenario runs in this thread; empty for the run itself."""


class Scoped(Scenario):
    """A scenario that sets ``ASKING`` in its thread."""

    def __init__(self, probe: str, scenario: Scenario) -> None:
        self._probe, self._scenario = probe, scenario
        self.alone = scenario.alone  # type: ignore[misc]
        self.beside = scenario.beside  # type: ignore[misc]
        self.negative = scenario.negative  # type: ignore[misc]

    def __str__(self) -> str:
        return str(self._scenario)

    @property
    def expected(self) -> str:
        return self._scenario.expected

    def work(self, probe: str, place: Place, view: View) -> Work:
        return self._scenario.work(probe, place, view)

    def judge(self, seen: Observation) -> Finding:
        return self._scenario.judge(seen)

    def counted(self, seen: Observation, node: str) -> list[str]:
        return self._scenario.counted(seen, node)

    def play(self, stage: Stage) -> Observation:
        token = ASKING.set(self._probe)
        try:
            return self._scenario.play(stage)
        finally:
            ASKING.reset(token)


def scoped(probes: Sequence[tuple[str, Probe]]) -> list[tuple[str, Probe]]:
    """The same probes; their scenarios set ``ASKING``."""
    return [(lab, _of(probe)) for lab, probe in probes]


def _of(probe: Probe) -> Probe:
    check: Check = probe.check
    return replace(probe, check=Scoped(probe.id, check)) if isinstance(check, Scenario) else probe
