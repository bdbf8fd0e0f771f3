"""A run's document as it grows: takes events, and gives the document of what is known at any time."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from scripts.runs.claims import claim_result
from scripts.runs.document import (
    CauseRecord,
    ClaimRecord,
    ClusterRecord,
    ProbeRecord,
    Run,
    TimingRecord,
    UnjudgedRecord,
)
from scripts.runs.events import (
    BatchFinished,
    CausesFound,
    Event,
    EvidenceCollected,
    FeaturesFound,
    PhaseStarted,
    ProbeJudged,
    RunFinished,
    RunStarted,
)

PACKAGES = ("kubernetes", "pulumi", "pulumi-kubernetes")
PHASE = "phase: "
"""Begins the names of the timings of a run's phases."""


class Draft:
    """Observes a run. ``sentences`` are the claims' own words, ``carriers`` the probes that prove them.

    A claim that ``carriers`` does not list is carried by all of its probes.
    """

    def __init__(
        self,
        sentences: Mapping[str, str],
        carriers: Mapping[str, Sequence[str]] | None = None,
        started: str = "",
    ) -> None:
        self._sentences, self._carriers = sentences, carriers or {}
        self._began = time.monotonic()
        self._started = started or datetime.now(UTC).isoformat(timespec="seconds")
        self._id = self._stack = ""
        self._cluster = ClusterRecord()
        self._probes: tuple[UnjudgedRecord, ...] = ()
        self._judged: dict[str, ProbeRecord] = {}
        self._timings: list[TimingRecord] = []
        self._causes: tuple[CauseRecord, ...] = ()
        self._going: tuple[str, float] | None = None
        self._seconds: float | None = None

    def __call__(self, event: Event) -> None:
        """Takes note of an event."""
        match event:
            case RunStarted():
                self._id, self._stack, self._cluster = event.id, event.stack, event.cluster
                self._probes = event.probes
            case PhaseStarted() if self._id:
                self._phase(event.after)
                self._going = (event.phase, event.after)
            case BatchFinished():
                self._timings.append(TimingRecord(what=event.source, seconds=round(event.seconds, 4)))
            case EvidenceCollected():
                what = f"evidence: {event.what}"
                self._timings.append(TimingRecord(what=what, seconds=round(event.seconds, 4)))
            case FeaturesFound():
                features = [*self._cluster.features, *event.features]
                self._cluster = self._cluster.model_copy(update={"features": features})
            case ProbeJudged():
                self._judged[event.probe.id] = event.probe
            case CausesFound():
                self._causes = event.causes
                self._timings.append(TimingRecord(what="causes", seconds=round(event.seconds, 4)))
                for id, replay in event.replays.items():
                    known = self._judged[id]
                    receipt = known.receipt.model_copy(update={"replay": replay})
                    self._judged[id] = known.model_copy(update={"receipt": receipt})
            case RunFinished():
                self._phase(event.seconds)
                self._seconds = event.seconds

    def _phase(self, at: float) -> None:
        """Notes how long the phase lasted that ends ``at`` seconds after the run's start."""
        if self._going:
            phase, begun = self._going
            self._timings.append(TimingRecord(what=f"{PHASE}{phase}", seconds=round(at - begun, 4)))

    def meta(self) -> dict[str, Any]:
        """The arguments with which this draft was made."""
        return {"sentences": self._sentences, "carriers": self._carriers, "started": self._started}

    def document(self, so_far: float | None = None) -> Run:
        """The run as far as it is known; complete once it has finished.

        ``so_far``: the seconds of an unfinished run that is read back.
        """
        lasted = time.monotonic() - self._began if so_far is None else so_far
        seconds = lasted if self._seconds is None else self._seconds
        return Run(
            schema=3,
            id=self._id,
            stack=self._stack,
            started=self._started,
            complete=self._seconds is not None,
            seconds=round(seconds, 3),
            environment=surroundings(),
            cluster=self._cluster,
            timings=self._timings,
            causes=[*self._causes],
            claims=self._claims(),
            probes=[self._judged[probe.id] for probe in self._probes if probe.id in self._judged],
            unjudged=[probe for probe in self._probes if probe.id not in self._judged],
        )

    def _claims(self) -> list[ClaimRecord]:
        """The verdict on each claim, in the order of the probes."""
        results: dict[str, list[ProbeRecord]] = {}
        for probe in self._probes:
            if judged := self._judged.get(probe.id):
                results.setdefault(probe.claim, []).append(judged)
        ends = {id: claim_result(each, self._carriers.get(id)) for id, each in results.items()}
        return [
            ClaimRecord(
                id=id, sentence=self._sentences.get(id, id), verdict=end.verdict, told=end.told or None
            )
            for id, end in ends.items()
        ]


def surroundings() -> dict[str, str]:
    """Versions of what a run depends on, on this machine."""
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        **{name: version(name) for name in PACKAGES},
    }
