"""The JSON of a run. ``schema`` counts up when a reader of an older one would misread it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from labs.claims import CLAIMS
from scripts.probing.events import RunFinished
from scripts.probing.verdict import ClaimVerdict, Failure, Result, Verdict


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceiptJson(_Record):
    """The evidence of one probe: four views, and why one is missing."""

    client: list[dict[str, Any]]
    server: list[dict[str, str]]
    kernel: list[str]
    api: dict[str, Any]
    gaps: dict[str, str]


class ProbeJson(_Record):
    """One probe's verdict. ``failure`` and ``why`` are null when it passed; ``command`` does it by hand."""

    id: str
    claim: str
    lab: str
    sentence: str
    verdict: Verdict
    failure: Failure | None
    why: str | None
    command: str
    receipt: ReceiptJson


class ClaimJson(_Record):
    """One claim and what its probes make of it. ``told`` says why it is not simply proven, else null."""

    id: str
    sentence: str
    verdict: ClaimVerdict
    told: str | None


class RunJson(_Record):
    """One execution of ``scripts/probe``. ``complete`` is false when it was cut short; seconds."""

    schema_: Literal[1] = Field(1, alias="schema")
    id: str
    stack: str
    complete: bool
    seconds: float
    claims: list[ClaimJson]
    probes: list[ProbeJson]


def run_json(run: RunFinished, complete: bool = True) -> RunJson:
    """A run as its JSON model."""
    claims = [
        ClaimJson(
            id=id,
            sentence=CLAIMS[id].sentence if id in CLAIMS else id,
            verdict=claim.verdict,
            told=claim.told or None,
        )
        for id, claim in run.claims.items()
    ]
    probes = [probe_json(result) for result in run.results]
    return RunJson(
        schema=1,
        id=run.id,
        stack=run.stack,
        complete=complete,
        seconds=round(run.seconds, 3),
        claims=claims,
        probes=probes,
    )


def probe_json(result: Result) -> ProbeJson:
    """A result as its JSON model."""
    receipt = result.receipt
    return ProbeJson(
        id=result.id,
        claim=result.claim,
        lab=result.lab,
        sentence=result.sentence,
        verdict=result.verdict,
        failure=result.finding.failure,
        why=result.finding.why or None,
        command=result.command,
        receipt=ReceiptJson(
            client=[*receipt.client],
            server=[*receipt.server],
            kernel=[*receipt.kernel],
            api=receipt.api,
            gaps=receipt.gaps,
        ),
    )


def dumped(record: BaseModel) -> str:
    """A record as one line of JSON."""
    return record.model_dump_json(by_alias=True)
