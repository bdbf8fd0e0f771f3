"""A trace as a document, for programs to read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scripts.runs.document import TraceRecord


class TracedRequest(BaseModel):
    """A request from ``source`` to ``destination`` of ``stack``, and its trace.

    ``answer`` says in words what came back. Times in the trace are microseconds since its first hop.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    schema_: Literal[1] = Field(1, alias="schema")
    stack: str
    source: str
    destination: str
    path: str
    answer: str
    trace: TraceRecord

    def text(self) -> str:
        """The document as one line of JSON."""
        return self.model_dump_json(by_alias=True)
