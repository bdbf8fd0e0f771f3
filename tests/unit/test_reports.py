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

from labs import LABS, probes_of
from scripts.errors import UsageError
from scripts.probing.events import Event, ProbeJudged, RunFinished
from scripts.probing.runner import run
from scripts.probing.verdict import Verdict
from scripts.reporting.collected import Collected
from scripts.reporting.console import Console, listing, show
from scripts.reporting.files import json_report, junit_report
from scripts.reporting.record import Record
from scripts.reporting.schema import RunJson
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import wanted
from tests.unit.world import World

LAB = "container-to-container"
PROBES = [(LAB, probe) for probe in probes_of(LAB)]
LIES = Lies(open={("172.18.0.2", 80)}, lost={"webapp"})


def finished(*observers: Callable[[Event], None]) -> RunFinished:
    made = World(LIES)
    return run(PROBES, atlas.view(), made, made, observers, "r1")


def refuting(*observers: Callable[[Event], None]) -> RunFinished:
    """A run whose probes all pass, and one of them says what is true instead of its claim."""
    made = World()
    return run(wanted("S9-force S9-ipvs S9-userspace"), atlas.view(), made, made, observers, "r2")


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


def test_json_says_what_is_true_instead_of_a_refuted_claim(tmp_path: Path) -> None:
    with json_report(tmp_path / "r.json") as seen:
        refuting(seen)
    read = RunJson.model_validate_json((tmp_path / "r.json").read_text())
    (claim,) = read.claims
    assert (claim.id, claim.verdict) == ("S9", "refuted")
    assert claim.told is not None and claim.told.startswith("the userspace mode is gone")
    assert {probe.verdict for probe in read.probes} == {"passed"}


def test_json_tells_why_a_claim_is_refuted_or_open_and_nothing_of_a_proven_one(tmp_path: Path) -> None:
    written(json_report, tmp_path / "r.json")
    read = RunJson.model_validate_json((tmp_path / "r.json").read_text())
    told = {claim.id: claim.told for claim in read.claims}
    assert (told["C4"] or "").startswith("C4-node-1-80: frontend-1 answered with status 200")
    assert (told["C2"] or "").startswith("C2-proxy: error dialing backend")
    assert told["C3"] is None


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
    refuted = next(n for n, line in enumerate(lines) if line.startswith("  refuted") and "C4" in line)
    assert lines[refuted + 1].strip().startswith("C4-node-1-80: ")
    assert "probes of stack kind" in err.getvalue() and LAB not in err.getvalue()


def test_console_says_what_is_true_instead() -> None:
    out = io.StringIO()
    show(refuting(), out)
    lines = out.getvalue().splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  refuted"))
    assert lines[at + 1].strip().startswith("the userspace mode is gone")
    assert "1 refuted" in lines[-1] and "3 passed" in lines[-1]


def test_console_tells_a_scenario_that_begins() -> None:
    out, err = io.StringIO(), io.StringIO()
    made = World()
    with Console(out, err) as console:
        run(wanted("I11"), atlas.view(), made, made, [console])
    assert "I11: changing the cluster" in err.getvalue()


def test_labs_stand_in_the_articles_order() -> None:
    out, made = io.StringIO(), World()
    show(run(wanted("I7-shop E3-pod P1-client-1-rest C2-app"), atlas.view(), made, made), out)
    heads = [line for line in out.getvalue().splitlines() if line in LABS]
    assert heads == ["container-to-container", "pod-to-pod", "egress", "ingress-l7"]


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
    nobody = dataclasses.replace(atlas.view(), outside=None)
    show(run(PROBES, nobody, made, made), out)
    assert "- skipped" in out.getvalue() and "no world outside" in out.getvalue()


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


def test_the_record_keeps_what_every_exec_printed(tmp_path: Path) -> None:
    """Traced requests and all others are two execs at one source; captures are kept as they were read."""
    made = World()
    with Record("r1", tmp_path) as record:
        run(wanted("E1-trace E1-node"), atlas.view(), made, made, [record])
    raw = {path.name: path.read_bytes() for path in (tmp_path / "r1" / "raw").iterdir()}
    curls = [data for name, data in raw.items() if "traveller-1_nginx_curl" in name]
    assert sorted(data.split(b".")[0] for data in curls) == [b"E1-node", b"E1-trace"]
    assert {name for name in raw if name.startswith("capture-")} >= {
        f"capture-{place}.out" for place in ("control", "worker-a", "worker-b", "gateway")
    }
    assert raw["capture-worker-a.err"].endswith(b"0 packets dropped by kernel\n")
    assert {"before-worker-a.out", "kernel-worker-a.out"} <= raw.keys()


def test_verdicts_of_this_file_are_as_they_should_be() -> None:
    verdicts = {result.id: result.verdict for result in finished().results}
    assert verdicts["C4-node-1-80"] is Verdict.FAILED and verdicts["C2-proxy"] is Verdict.INCONCLUSIVE
