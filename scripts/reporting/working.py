"""What is known of a run while it works: its phase, what is under way, how far it is, the time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.reporting.signs import many
from scripts.runs.events import (
    BatchFinished,
    BatchStarted,
    Event,
    Phase,
    PhaseStarted,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    Waiting,
)

SHOWN = 4
"""How many things under way are named."""


@dataclass
class Working:
    """Takes events; ``pace`` is how long each phase lasted the last time, in seconds."""

    pace: Mapping[str, float] = field(default_factory=dict)
    phase: PhaseStarted | None = None
    begun: float = field(default_factory=time.monotonic)
    waiting: str = ""
    sentences: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    answered: int = 0
    played: int = 0
    batches: dict[str, list[int]] = field(default_factory=dict)
    scenarios: dict[str, float] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Takes note of an event."""
        match event:
            case PhaseStarted():
                self.phase, self.begun, self.waiting = event, time.monotonic(), ""
            case Waiting():
                self.waiting = event.what
            case RunStarted():
                self.phase = None
                self.sentences = {probe.id: probe.sentence for probe in event.probes}
            case BatchStarted():
                self.asked += event.size
                self.batches.setdefault(event.source, []).append(event.size)
            case BatchFinished():
                self.answered += event.size
                self.batches[event.source].remove(event.size)
            case ScenarioStarted():
                self.scenarios[event.probe] = time.monotonic()
            case ScenarioFinished():
                self.played += 1
                self.scenarios.pop(event.probe, None)

    def seconds(self) -> float:
        """How long the phase has lasted."""
        return time.monotonic() - self.begun

    def title(self) -> str:
        """What the phase does, with the number of probes that it is about."""
        if self.phase is None:
            return ""
        count = self.phase.count
        match self.phase.phase:
            case Phase.ASKING:
                return f"ask {many(count, 'probe')}"
            case Phase.CHANGING:
                return f"play {many(count, 'scenario')}"
            case phase:
                return f"{phase} ({many(count, 'probe')})" if count else str(phase)

    def far(self) -> str:
        """How many of how many, or an empty text where that is not known."""
        if self.phase and self.phase.phase is Phase.CHANGING:
            return f"{self.played} of {self.phase.count}"
        if self.phase and self.phase.phase is Phase.ASKING and self.asked:
            return f"{self.answered} of {many(self.asked, 'answer')}"
        return ""

    def left(self) -> str:
        """The time left, where it can be known: by the phase's limit, or by how long the last run took."""
        if self.phase is None:
            return ""
        if self.phase.limit:
            return f"at most {max(0.0, self.phase.limit - self.seconds()):.0f} s more"
        order = [*Phase]
        later = order[order.index(self.phase.phase) + 1 :]
        if self.phase.phase.value not in self.pace:
            return ""
        rest = self.pace[self.phase.phase.value] - self.seconds()
        rest = max(rest, 0.0) + sum(self.pace.get(phase.value, 0.0) for phase in later)
        return f"about {rest:.0f} s left" if rest >= 1 else ""

    def under_way(self) -> list[str]:
        """What is waited for: a reason, the scenarios that play, or the places that are still asked."""
        if self.waiting:
            return [self.waiting]
        now = time.monotonic()
        playing = [
            f"{id}: {self.sentences.get(id, id)} ({now - begun:.0f} s)"
            for id, begun in [*self.scenarios.items()]
        ]
        asked = [
            f"waiting for {source} ({many(sum(sizes), 'answer')})"
            for source, sizes in [*self.batches.items()]
            if sizes
        ]
        collecting = self.phase is not None and self.phase.phase is Phase.ASKING and not asked
        found = playing or asked or ["reading rules, connections and captures from the nodes"] * collecting
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        return found[:SHOWN] + more
