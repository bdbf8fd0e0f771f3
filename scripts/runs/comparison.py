"""What differs between two runs, as a document."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from scripts.runs.document import CauseRecord


class Direction(StrEnum):
    """Whether a verdict became worse or better, or neither."""

    WORSE = "worse"
    BETTER = "better"
    OTHER = "other"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SideRecord(_Record):
    """One of the two runs. ``complete``: not cut short; ``unjudged`` counts probes without a verdict."""

    id: str
    stack: str
    started: str
    complete: bool
    seconds: float
    probes: dict[str, int]
    claims: dict[str, int]
    unjudged: int


class VerdictChange(_Record):
    """A claim or probe with another verdict, or that failed in another way. ``lab`` is empty for a claim.

    ``failure`` and ``why`` are those of the run after; ``last`` says where its packets were last seen, if it
    was asked once more for that.
    """

    id: str
    lab: str = ""
    sentence: str
    before: str
    after: str
    direction: Direction
    failure: str = ""
    why: str = ""
    last: str = ""


class PathChange(_Record):
    """A difference between paths in words, and the probes that saw it.

    ``chosen``: a Service or a load balancer has chosen another Pod or node; the network may be the same.
    """

    words: str
    probes: list[str]
    chosen: bool = False


class CauseChange(_Record):
    """A cause that ``came``, ``went`` or ``stayed`` and explains other probes now."""

    change: str
    cause: CauseRecord


class ValueChange(_Record):
    """A version, a feature or a node that differs; empty where one of the runs had none.

    Of a probe that passed in both runs, what it found, where that is more than another number or name.
    """

    name: str
    before: str
    after: str
    reason: str = ""


class TimingChange(_Record):
    """Something that took longer or shorter, beyond noise; in seconds."""

    what: str
    before: float
    after: float
    told: str


class Comparison(_Record):
    """What differs between two runs; ``worse`` says whether a verdict became worse.

    ``only_before`` and ``only_after`` are the probes that only one of them asked; ``noise`` says by what rule
    timings were told from noise.
    """

    schema_: int = Field(1, alias="schema")
    before: SideRecord
    after: SideRecord
    worse: bool
    claims: list[VerdictChange] = []
    probes: list[VerdictChange] = []
    findings: list[ValueChange] = []
    paths: list[PathChange] = []
    causes: list[CauseChange] = []
    versions: list[ValueChange] = []
    features: list[ValueChange] = []
    nodes: list[ValueChange] = []
    timings: list[TimingChange] = []
    noise: str = ""
    only_before: list[str] = []
    only_after: list[str] = []

    def text(self) -> str:
        """The document as one line of JSON."""
        return self.model_dump_json(by_alias=True)
