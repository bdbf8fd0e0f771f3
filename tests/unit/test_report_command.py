"""`scripts/report` and `scripts/diff`: what they print, what they write, and how they end."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

from scripts.checks.verdict import Failure, Verdict
from scripts.cli import diff as diff_command
from scripts.cli import report as report_command
from scripts.cli.diff import diff
from scripts.cli.report import report
from scripts.errors import EXIT_FAILED, EXIT_OK, UsageError
from scripts.reporting.difference import lines, show
from scripts.reporting.listing import Kept, listed
from scripts.runs.compare import compare
from scripts.runs.document import ReplayRecord, Run
from scripts.runs.named import read_any
from tests.unit.test_named import FIRST, OTHER, SECOND, kept

__all__ = ["kept"]
Output = pytest.CaptureFixture[str]


@pytest.fixture
def there(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands see the runs of ``kept``."""
    for command in (report_command, diff_command):
        monkeypatch.setattr(command, "RUNS", kept)
    return kept


def worse(run: Run) -> Run:
    """The run with a probe that failed, and that was asked once more."""
    replay = ReplayRecord(passes=False, last="the request was last seen at cbr0 of n1")
    receipt = run.probes[0].receipt.model_copy(update={"replay": replay})
    probe = run.probes[0].model_copy(
        update={
            "receipt": receipt,
            "verdict": Verdict.FAILED,
            "failure": Failure.TIMED_OUT,
            "why": "no answer from 10.0.0.1:80",
        }
    )
    return run.model_copy(update={"probes": [probe, *run.probes[1:]]})


def test_the_list_says_how_far_each_run_came(there: Path, capsys: Output) -> None:
    assert report() == EXIT_OK
    said = capsys.readouterr()
    heads, first, second, other = said.out.splitlines()
    assert heads.split()[0] == "RUN" and first.startswith(FIRST)
    assert "5 passed, 1 inconclusive" in first and first.rstrip().endswith(" s")
    assert second.startswith(SECOND) and second.endswith("not ended, 3 of 6 judged")
    assert other.startswith(OTHER) and "scripts/diff" in said.err


def test_the_list_fits_a_narrow_terminal(there: Path) -> None:
    kept = [Kept(SECOND, read_any(there / SECOND), ended=False), Kept("x", problem="it cannot be read.")]
    lines = listed(kept, 60)
    assert max(map(len, lines)) <= 60 and "\n" not in "".join(lines)
    assert "not ended, 3 of 6 judged" in lines[1] and lines[-2:] == ["x", "  it cannot be read."]


def test_a_run_that_cannot_be_read_does_not_hide_the_others(
    there: Path, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "20261126T180000.000-kind"
    broken.mkdir()
    for name in ("run.json", "events.jsonl"):
        (broken / name).write_text("{}")
    (tmp_path / FIRST).symlink_to(there / FIRST)
    monkeypatch.setattr(report_command, "RUNS", tmp_path)
    assert report() == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(FIRST) and "cannot be read by this version" in lines[2]


def test_without_runs_the_next_command_is_named(
    capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_command, "RUNS", tmp_path)
    assert report() == EXIT_OK
    said = capsys.readouterr()
    assert said.out == "There is no run yet.\n" and said.err == "Next: scripts/probe\n"
    with pytest.raises(UsageError, match=r"^there is no run yet: scripts/probe makes one\.$"):
        report(json="x.json")


def test_a_run_is_shown_again_and_written_again(there: Path, capsys: Output, tmp_path: Path) -> None:
    assert report(FIRST, json=str(tmp_path / "r.json"), junit=str(tmp_path / "r.xml")) == EXIT_OK
    said = capsys.readouterr().out
    assert said.startswith(f"run {FIRST} of stack kind, started ") and "C2-proxy" in said
    assert "has not ended" not in said
    assert Run.model_validate_json((tmp_path / "r.json").read_text()).text() == read_any(there / FIRST).text()
    assert sum(suite.tests for suite in JUnitXml.fromfile(str(tmp_path / "r.xml"))) == 6


def test_a_killed_run_is_shown_as_far_as_it_came_and_says_so(there: Path, capsys: Output) -> None:
    assert report(SECOND) == EXIT_OK
    heads = capsys.readouterr().out.splitlines()
    assert heads[1].startswith(
        "This run has not ended: it was killed, or is still going on; 3 of 6 probes were"
    )
    assert heads[2].startswith("Not judged: ") and heads[2].count(",") == 2


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(there: Path, tmp_path: Path) -> None:
    for option in ("json", "junit"):
        with pytest.raises(UsageError, match="cannot be written"):
            report(FIRST, open_=False, **{option: str(tmp_path / "no" / "file")})
    with pytest.raises(UsageError, match="cannot be written"):
        diff(FIRST, FIRST, json=str(tmp_path / "no" / "file"))


# --- scripts/diff -----------------------------------------------------------------------------------


def test_the_last_two_runs_are_compared_where_none_is_named(there: Path, capsys: Output) -> None:
    assert diff() == EXIT_OK
    before, after, *_ = capsys.readouterr().out.splitlines()
    assert before.split()[:2] == ["before", "r1:"] and after.endswith("cut short, 3 probes not judged")


def test_a_worse_verdict_is_exit_code_1_and_a_better_one_0(
    there: Path, capsys: Output, tmp_path: Path
) -> None:
    file = tmp_path / "worse.json"
    file.write_text(worse(read_any(there / FIRST)).text())
    assert diff(FIRST, str(file)) == EXIT_FAILED
    said = capsys.readouterr()
    assert "Worse: 1 probe." in said.out and "no answer from 10.0.0.1:80" in said.out
    assert "      the request was last seen at cbr0 of n1\n" in said.out
    assert said.err == f"Next: scripts/report {file}\n"
    assert diff(str(file), FIRST) == EXIT_OK
    assert "Better: 1 probe." in capsys.readouterr().out


def test_json_on_standard_output_is_nothing_but_json(
    there: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert diff(FIRST, OTHER, json="-") == EXIT_OK
    document = json.loads(capfdbinary.readouterr().out)
    assert document["schema"] == 1 and document["worse"] is False
    assert document["before"]["probes"] == {"passed": 5, "inconclusive": 1}


def test_runs_that_do_not_differ_are_told_in_a_line(there: Path) -> None:
    run = read_any(there / FIRST)
    told = [line.text for line in lines(compare(run, run))]
    assert "No verdict changed." in told and len(told) == 6
    assert told[-1].startswith("The same: causes, claims, paths, probes, findings, versions")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [60, 100, 200])
def test_no_line_is_wider_than_the_terminal(there: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    run, out = read_any(there / FIRST), Terminal()
    show(compare(run, worse(run)), out)
    assert "\x1b" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_a_terminal_gets_colours(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    run, out = read_any(there / FIRST), Terminal()
    show(compare(run, worse(run)), out)
    assert "\x1b[31m" in out.getvalue() or "\x1b[1;31m" in out.getvalue()
