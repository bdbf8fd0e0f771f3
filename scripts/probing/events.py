"""What happens during a run, as records: the runner tells them, reporters observe them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labs.model import Probe
from scripts.probing.executor import CompletedExec
from scripts.probing.verdict import ClaimResult, Result, claim_result


@dataclass(frozen=True)
class RunStarted:
    """A run begins; ``id`` names its folder. ``probes`` are (lab, probe) in the order of the report."""

    id: str
    stack: str
    probes: tuple[tuple[str, Probe], ...]


@dataclass(frozen=True)
class BatchStarted:
    """An exec begins at ``source``; ``size`` is the number of requests or commands it carries."""

    source: str
    size: int


@dataclass(frozen=True)
class BatchFinished:
    """An exec ended after ``seconds``; ``problem`` is why it brought nothing home, or empty."""

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
class ScenarioStarted:
    """A probe that changes the cluster begins."""

    probe: str


@dataclass(frozen=True)
class ProbeJudged:
    """A probe has its verdict."""

    result: Result


@dataclass(frozen=True)
class RunFinished:
    """The run is over: every probe's result, in the order of the report."""

    id: str
    stack: str
    seconds: float
    results: tuple[Result, ...]

    @property
    def claims(self) -> Mapping[str, ClaimResult]:
        """What each claim ends as, by its id, in the order of the probes."""
        results: dict[str, list[Result]] = {}
        for result in self.results:
            results.setdefault(result.claim, []).append(result)
        return {claim: claim_result(each) for claim, each in results.items()}


Event = (
    RunStarted
    | BatchStarted
    | BatchFinished
    | RawOutput
    | EvidenceCollected
    | ScenarioStarted
    | ProbeJudged
    | RunFinished
)
Observer = Callable[[Event], None]
