"""The published schema is that of the documents that podpath writes; older documents still load."""

from __future__ import annotations

import json

from scripts.paths import ROOT
from scripts.runs.document import Run
from scripts.runs.schema import PUBLISHED, schema

SECOND = ROOT / "tests" / "unit" / "samples" / "run-schema-2.json"
"""Some probes of the recorded world ``natflush``, as podpath wrote them when the schema was 2."""


def test_the_published_schema_is_current() -> None:
    renew = "renew it: scripts/python -m scripts.runs.schema"
    assert PUBLISHED.read_text(encoding="utf-8") == schema(), renew


def test_a_document_of_schema_2_still_loads() -> None:
    text = SECOND.read_text(encoding="utf-8")
    run = Run.model_validate_json(text)
    assert json.loads(text)["schema"] == run.schema_ == 2
    assert {probe.id: probe.verdict.value for probe in run.probes} == {
        "C4-alive": "passed",
        "C4-node-1-80": "inconclusive",
        "P4-frontend-rest": "passed",
        "S2-1": "inconclusive",
        "S4": "failed",
        "S9-ipvs": "skipped",
        "S9-userspace": "passed",
        "E1-node": "passed",
        "I6-with": "failed",
    }
    traced = next(probe for probe in run.probes if probe.id == "P4-frontend-rest").receipt.trace
    assert traced is not None and traced.hops and all(hop.rules == [] for hop in traced.hops)
    assert run.causes == [] and all(probe.receipt.replay is None for probe in run.probes)
