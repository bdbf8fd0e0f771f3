"""What `scripts/faults` prints and writes of what it found out."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.cli.faults import code_of, faults
from scripts.errors import EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_OK, UsageError
from scripts.reporting.proof import row, show, write_junit, wrong
from scripts.runs.document import CauseRecord
from scripts.runs.proof import FaultRecord, Proof, RedRecord

RED = RedRecord(id="P1", verdict="failed", failure="timed-out", why="no answer", predicted=True)
NAMED = CauseRecord(kind="rule_drops", what="w2 drops", node="w2", evidence=["rule 1"])
FINE = FaultRecord(
    id="synack",
    what="w2 drops answers",
    claims=["P1"],
    cause="rule_drops",
    node="w2",
    reds=[RED],
    named=[NAMED],
    seconds=4.5,
)
FALSE = RED.model_copy(update={"id": "C1", "predicted": False})
OTHERS: dict[str, tuple[dict[str, object], int, str]] = {
    "nobody": ({"reds": []}, EXIT_FAILED, ""),
    "missed": ({"missed": ["S4: passed"]}, EXIT_FAILED, "not noticed as predicted by S4: passed"),
    "unnamed": ({"named": []}, EXIT_FAILED, "named nothing instead of rule_drops on w2"),
    "elsewhere": (
        {"named": [NAMED.model_copy(update={"node": "w1"})]},
        EXIT_FAILED,
        "named rule_drops on w1 instead of rule_drops on w2",
    ),
    "false": ({"reds": [RED, FALSE]}, EXIT_FAILED, "false: C1 failed timed-out: no answer"),
    "left": ({"left": ["+ w2 rules: x"]}, EXIT_ENVIRONMENT, "NOT RESTORED: + w2 rules: x"),
    "still": ({"still": ["P1: no answer"]}, EXIT_ENVIRONMENT, "still red after it was undone: P1: no answer"),
    "problem": ({"problem": "it could not be applied"}, EXIT_FAILED, "it could not be applied"),
}


def proof(*faults: FaultRecord) -> Proof:
    return Proof(schema=1, stack="kind", started="2026-01-01T00:00:00+00:00", seconds=9, faults=[*faults])


def test_a_fault_that_was_noticed_and_named_is_one_line() -> None:
    out = io.StringIO()
    show(proof(FINE), out)
    first, _, last = out.getvalue().splitlines()
    assert first == "✓ synack    4.5 s  named rule_drops  noticed by P1"
    assert last == "1 of 1 noticed, 1 of 1 named, 0 false; 9 s"
    assert code_of(proof(FINE)) == EXIT_OK


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_is_wrong_is_told_and_decides_the_exit_code(name: str, tmp_path: Path) -> None:
    change, code, said = OTHERS[name]
    bad = FINE.model_copy(update=change)
    assert code_of(proof(FINE, bad)) == code
    assert row(bad, 6).startswith("✗ synack")
    assert said in ["", *wrong(bad)]
    write_junit(tmp_path / "x.xml", proof(FINE, bad))
    suite = ElementTree.parse(tmp_path / "x.xml").getroot().find("testsuite")
    assert suite is not None and suite.get("tests") == "2"
    assert len(suite.findall(".//failure")) == (1 if wrong(bad) else 0)


def test_reds_that_nobody_predicted_and_failed_undoings_are_in_the_sums() -> None:
    bad = FINE.model_copy(update={"reds": [RED, FALSE], "left": ["x"]})
    assert proof(FINE, bad).summary() == "2 of 2 noticed, 2 of 2 named, 1 false, 1 NOT RESTORED; 9 s"


def test_the_document_can_be_read_back() -> None:
    whole = proof(FINE)
    assert Proof.model_validate_json(whole.text()) == whole


def test_a_file_that_cannot_be_written_is_said_before_anything_is_broken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        faults(json=str(tmp_path / "none" / "x.json"))
