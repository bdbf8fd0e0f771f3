"""What a person and a machine read of a run, also of one that was cut short."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from junitparser import JUnitXml

from labs import probes_of
from scripts.errors import UsageError
from scripts.probing.events import Event, ProbeJudged, RunFinished
from scripts.probing.runner import run
from scripts.probing.verdict import Verdict
from scripts.reporting.collected import Collected
from scripts.reporting.console import Console, listing, show
from scripts.reporting.files import json_report, junit_report
from scripts.reporting.record import Record
from scripts.reporting.schema import RunJson
from tests.unit import world
from tests.unit.world import Lies, World

LAB = "container-to-container"
PROBES = [(LAB, probe) for probe in probes_of(LAB)]
LIES = Lies(open={("172.18.0.2", 80)}, lost={"webapp"})


def finished(*observers: Callable[[Event], None]) -> RunFinished:
    made = World(LIES)
    return run(PROBES, world.view(), made, made, observers, "r1")


class Cut(Exception):
    """The run ends in the middle."""


def cut_after(number: int) -> Callable[[Event], None]:
    seen = []

    def observe(event: Event) -> None:
        seen.append(isinstance(event, ProbeJudged))
        if sum(seen) > number:
            raise Cut

    return observe


def written(report: Callable[[Path], AbstractContextManager[Collected]], path: Path, cut: int = 99) -> None:
    try:
        with report(path) as seen:
            finished(cut_after(cut), seen)
    except Cut:
        pass


def test_json_reads_back_by_its_own_schema(tmp_path: Path) -> None:
    written(json_report, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text()
    assert json.loads(text)["schema"] == 1
    read = RunJson.model_validate_json(text)
    assert read.complete and read.id == "r1" and len(read.probes) == len(PROBES)
    red = next(probe for probe in read.probes if probe.id == "C4-node-1-80")
    assert (red.verdict, red.failure) == ("failed", "unexpected-answer")
    assert red.why and red.command.startswith("docker exec podpath-outside curl")
    assert [claim.verdict for claim in read.claims if claim.id == "C4"] == ["refuted"]


def test_json_of_a_run_cut_short_says_so(tmp_path: Path) -> None:
    written(json_report, tmp_path / "r.json", cut=3)
    read = RunJson.model_validate_json((tmp_path / "r.json").read_text())
    assert not read.complete and len(read.probes) == 3


def test_junit_explains_each_failure(tmp_path: Path) -> None:
    written(junit_report, tmp_path / "r.xml")
    xml = JUnitXml.fromfile(str(tmp_path / "r.xml"))
    cases = {case.name.split(":")[0]: case for suite in xml for case in suite}
    assert len(cases) == len(PROBES) and cases["C3"].is_passed
    (failure,) = cases["C4-node-1-80"].result
    assert failure.type == "unexpected-answer" and "by hand: docker exec" in failure.text
    (error,) = cases["C2-proxy"].result
    assert type(error).__name__ == "Error" and "error dialing backend" in error.message
    assert (xml.tests, xml.failures) == (len(PROBES), 1)


def test_junit_of_a_run_cut_short_counts_what_was_not_judged(tmp_path: Path) -> None:
    written(junit_report, tmp_path / "r.xml", cut=3)
    xml = JUnitXml.fromfile(str(tmp_path / "r.xml"))
    unjudged = [
        case for suite in xml for case in suite if case.result and case.result[0].type == "not-judged"
    ]
    assert len(unjudged) == len(PROBES) - 3


@pytest.mark.parametrize("report", [json_report, junit_report])
def test_a_report_that_cannot_be_written_is_told_before_the_run(
    report: Callable[[Path], AbstractContextManager[Collected]], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="cannot be written"), report(tmp_path / "none" / "r"):
        pytest.fail("the run started")


def test_console_prints_plain_lines_where_there_is_no_terminal() -> None:
    out, err = io.StringIO(), io.StringIO()
    with Console(out, err) as console:
        finished(console)
    text = out.getvalue()
    assert "\x1b" not in text + err.getvalue()
    lines = text.splitlines()
    red = next(n for n, line in enumerate(lines) if "C4-node-1-80 " in line)
    assert lines[red].startswith("  ✗ failed") and "unexpected-answer: " in lines[red + 1]
    assert "by hand: docker exec podpath-outside curl" in lines[red + 2]
    assert any(line.startswith("  refuted") and "C4" in line for line in lines)
    assert "1 failed" in lines[-1] and "1 refuted" in lines[-1]
    assert "probes of stack kind" in err.getvalue() and LAB not in err.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_console_draws_on_a_terminal_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    done = finished()
    monkeypatch.delenv("NO_COLOR", raising=False)
    drawn = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    show(done, drawn)
    assert "\x1b[" in drawn.getvalue() and "C4-node-1-80" in drawn.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    show(done, plain)
    assert "\x1b" not in plain.getvalue()


def test_a_probe_that_is_skipped_says_why() -> None:
    out = io.StringIO()
    made = World()
    nobody = dataclasses.replace(world.view(), outside=None)
    show(run(PROBES, nobody, made, made), out)
    assert "- skipped" in out.getvalue() and "no host outside" in out.getvalue()


def test_listing_names_each_probe_under_its_claim() -> None:
    text = listing(PROBES)
    assert text.startswith(f"{LAB}\n  C1 Containers of a Pod share one network namespace")
    assert all(f"    {probe.id} " in text for _, probe in PROBES)


def test_the_record_is_there_before_the_end(tmp_path: Path) -> None:
    with pytest.raises(Cut), Record("r1", tmp_path) as record:
        finished(record, cut_after(3))
    events = [json.loads(line) for line in (tmp_path / "r1" / "events.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "RunStarted"
    judged = [event for event in events if event["event"] == "ProbeJudged"]
    assert len(judged) == 4 and {"client", "server", "kernel", "api", "gaps"} == {*judged[0]["receipt"]}
    assert (tmp_path / "r1" / "raw" / "client-a_client_curl.out").read_bytes().startswith(b"C")
    assert (tmp_path / "r1").stat().st_mode & 0o077 == 0


def test_verdicts_of_this_file_are_as_they_should_be() -> None:
    verdicts = {result.id: result.verdict for result in finished().results}
    assert verdicts["C4-node-1-80"] is Verdict.FAILED and verdicts["C2-proxy"] is Verdict.INCONCLUSIVE
