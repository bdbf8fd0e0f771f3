"""What happens during a run, as records: the suite emits them, reporters observe them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from scripts.runs.document import (
    CauseRecord,
    ClusterRecord,
    FeatureRecord,
    ProbeRecord,
    ReplayRecord,
    UnjudgedRecord,
)
from scripts.transport.executor import CompletedExec


class Phase(StrEnum):
    """What a run does, in this order; the last two only if something is red."""

    READING = "read the cluster"
    SETTLING = "wait for the labs to settle"
    ASKING = "ask"
    CHANGING = "play scenarios"
    REPLAYING = "ask again what is red"
    EXPLAINING = "find causes"


@dataclass(frozen=True)
class PhaseStarted:
    """A phase begins, ``after`` so many seconds of the run, and with it the one before has ended.

    ``count`` is the number of probes that it is about, ``limit`` the seconds after which it ends in any
    case; both are 0 where that is not known.
    """

    phase: Phase
    after: float = 0
    count: int = 0
    limit: float = 0


@dataclass(frozen=True)
class Waiting:
    """Something is waited for: ``what``, and why, as a sentence."""

    what: str


@dataclass(frozen=True)
class RunStarted:
    """A run begins; ``id`` names its folder. ``probes`` are in the order of the report."""

    id: str
    stack: str
    probes: tuple[UnjudgedRecord, ...]
    cluster: ClusterRecord


@dataclass(frozen=True)
class BatchStarted:
    """An exec begins at ``source``; ``size`` is the number of requests or commands it carries."""

    source: str
    size: int


@dataclass(frozen=True)
class BatchFinished:
    """An exec ended after ``seconds``; ``problem`` is why it gave no result, or empty."""

    source: str
    size: int
    seconds: float
    problem: str = ""


@dataclass(frozen=True)
class RawOutput:
    """What an exec printed, to be kept as it is."""

    name: str
    done: CompletedExec


@dataclass(frozen=True)
class EvidenceCollected:
    """Evidence beside the answers was collected (``what``) in ``seconds``; nothing was asked meanwhile."""

    what: str
    seconds: float


@dataclass(frozen=True)
class FeaturesFound:
    """What the nodes' kernels show of the cluster, beside what its API showed at the start."""

    features: tuple[FeatureRecord, ...]


@dataclass(frozen=True)
class ScenarioStarted:
    """A probe that changes the cluster begins."""

    probe: str


@dataclass(frozen=True)
class ScenarioFinished:
    """A probe that changed the cluster has ended after ``seconds``, and what it changed is restored."""

    probe: str
    seconds: float


@dataclass(frozen=True)
class ProbeJudged:
    """A probe has its verdict."""

    probe: ProbeRecord


@dataclass(frozen=True)
class CausesFound:
    """The reds were asked once more, by id, and their causes looked for, which took ``seconds``."""

    causes: tuple[CauseRecord, ...]
    replays: Mapping[str, ReplayRecord]
    seconds: float


@dataclass(frozen=True)
class RunFinished:
    """The run is over: every probe has been judged."""

    seconds: float


Event = (
    PhaseStarted
    | Waiting
    | RunStarted
    | BatchStarted
    | BatchFinished
    | RawOutput
    | EvidenceCollected
    | FeaturesFound
    | ScenarioStarted
    | ScenarioFinished
    | ProbeJudged
    | CausesFound
    | RunFinished
)
Observer = Callable[[Event], None]
