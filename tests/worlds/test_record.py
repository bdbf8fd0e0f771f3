"""`scripts/test --record`: names, and what becomes of them."""

from __future__ import annotations

import pytest

from scripts.cli import __main__ as cli
from scripts.cli import test as command
from tests.worlds import record


def test_what_cannot_be_recorded_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert record.main(["flood"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("podpath: 'flood' is no world: choose from kind, ") and "synack" in said


def test_names_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def python(*argv: str) -> int:
        calls.append(argv)
        return 0

    monkeypatch.setattr(command, "_python", python)
    assert command.test(record=True, names=["synack", "kind"]) == 0
    assert calls == [("tests.worlds.record", "synack", "kind")]
    assert cli.main(["test", "synack"]) == 2
