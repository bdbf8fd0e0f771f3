"""What `scripts/faults` found out, as a document: fault by fault, who noticed it and what it was called."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scripts.runs.document import CauseRecord


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class RedRecord(_Record):
    """A probe that was red or open while a fault stood. ``predicted``: the fault's declaration names it."""

    id: str
    verdict: str
    failure: str
    why: str
    predicted: bool


class FaultRecord(_Record):
    """One fault. ``missed`` are predicted probes that did not notice it, with what they said instead.

    ``named`` are the causes that were told, the first one first. ``left`` is what was different after the
    undoing; ``problem`` says why the fault proves nothing, such as that it could not be applied.
    """

    id: str
    what: str
    claims: list[str]
    cause: str
    node: str = ""
    reds: list[RedRecord] = []
    missed: list[str] = []
    named: list[CauseRecord] = []
    left: list[str] = []
    still: list[str] = []
    """Probes that were red after the undoing."""
    problem: str = ""
    seconds: float = 0.0
    steps: dict[str, float] = {}

    @property
    def noticed(self) -> bool:
        """Every probe that had to notice it did; of one without a cause nobody may."""
        return bool(self.reds) == bool(self.cause) and not self.missed and not self.problem

    @property
    def called(self) -> bool:
        """The first cause that was told is the true one, on the true node."""
        if not self.cause:
            return not [cause for cause in self.named if not cause.warning]
        first = self.named[0] if self.named else None
        return first is not None and first.kind == self.cause and self.node in ("", first.node)

    @property
    def false(self) -> list[str]:
        """Probes that were red and that nobody predicted."""
        return [red.id for red in self.reds if not red.predicted]

    @property
    def restored(self) -> bool:
        """All is as it was, and green."""
        return not self.left and not self.still


class Proof(_Record):
    """All faults of one execution of `scripts/faults`."""

    schema_: Literal[1] = Field(1, alias="schema")
    stack: str
    started: str
    seconds: float
    faults: list[FaultRecord]

    def summary(self) -> str:
        """The sums in one line."""
        count = len(self.faults)
        noticed = sum(fault.noticed for fault in self.faults)
        called = sum(fault.called for fault in self.faults)
        false = sum(len(fault.false) for fault in self.faults)
        left = sum(not fault.restored for fault in self.faults)
        words = f"{noticed} of {count} noticed, {called} of {count} named, {false} false"
        return f"{words}{f', {left} NOT RESTORED' if left else ''}; {self.seconds:.0f} s"

    def text(self) -> str:
        """The document as one line of JSON."""
        return self.model_dump_json(by_alias=True)
