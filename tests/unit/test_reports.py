"""What a machine reads of a run, also of one that was cut short."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from labs import probes_of
from labs.claims import CLAIMS
from scripts.errors import UsageError
from scripts.evidence.view import View
from scripts.reporting.files import JSON, Report, written
from scripts.reporting.guard import Guarded
from scripts.reporting.junit import JUNIT
from scripts.reporting.markdown import MARKDOWN, fenced, plain
from scripts.runs.document import CauseRecord, ReceiptRecord, ReplayRecord, Run
from scripts.runs.draft import Draft
from scripts.runs.events import Event, ProbeJudged
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import document
from tests.unit.world import World

LAB = "container-to-container"
PROBES = [(LAB, probe) for probe in probes_of(LAB)]
LIES = Lies(open={("172.18.0.2", 80)}, lost={"webapp"})
REFUTING = "S9-force S9-ipvs S9-userspace"
"""Probes that all pass, and one of them says what is true instead of its claim."""


def drafted(*observers: Callable[[Event], None], view: View | None = None) -> Draft:
    """The draft of a run of the lab, which observers may cut short."""
    made, draft = World(LIES), Draft({id: claim.sentence for id, claim in CLAIMS.items()})
    with suppress(Cut):
        run(PROBES, view or atlas.view(), made, made, [*observers, draft], "r1")
    return draft


class Cut(Exception):
    """The run ends in the middle."""


def cut_after(number: int) -> Callable[[Event], None]:
    seen = []

    def observe(event: Event) -> None:
        seen.append(isinstance(event, ProbeJudged))
        if sum(seen) > number:
            raise Cut

    return observe


def filed(report: Report, path: Path, cut: int = 99) -> Path:
    """The file of a report about a run that is cut after so many verdicts."""
    with written(report, path, drafted(cut_after(cut)).document):
        assert path.read_text() == report.empty, "it can be written before the run begins"
    return path


def read(path: Path) -> Run:
    return Run.model_validate_json(path.read_text())


def test_json_reads_back_by_its_own_schema(tmp_path: Path) -> None:
    path = filed(JSON, tmp_path / "r.json")
    assert json.loads(path.read_text())["schema"] == 3
    seen = read(path)
    assert seen.complete and seen.id == "r1" and len(seen.probes) == len(PROBES)
    red = next(probe for probe in seen.probes if probe.id == "C4-node-1-80")
    assert (red.verdict, red.failure) == ("failed", "unexpected-answer")
    assert red.why and red.command.startswith("docker exec podpath-outside curl")
    assert [claim.verdict for claim in seen.claims if claim.id == "C4"] == ["refuted"]


def test_json_says_what_is_true_instead_of_a_refuted_claim(tmp_path: Path) -> None:
    with written(JSON, tmp_path / "r.json", lambda: document(ids=REFUTING)):
        pass
    seen = read(tmp_path / "r.json")
    (claim,) = seen.claims
    assert (claim.id, claim.verdict) == ("S9", "refuted")
    assert claim.told is not None and claim.told.startswith("the userspace mode is gone")
    assert {probe.verdict for probe in seen.probes} == {"passed"}
    assert [probe.id for probe in seen.probes if probe.refutes] == ["S9-userspace"]


def test_json_tells_why_a_claim_is_refuted_or_open_and_nothing_of_a_proven_one(tmp_path: Path) -> None:
    told = {claim.id: claim.told for claim in read(filed(JSON, tmp_path / "r.json")).claims}
    assert (told["C4"] or "").startswith("C4-node-1-80: frontend-1 answered with status 200")
    assert (told["C2"] or "").startswith("C2-proxy: error dialing backend")
    assert told["C3"] is None


def test_json_of_a_run_cut_short_says_so(tmp_path: Path) -> None:
    seen = read(filed(JSON, tmp_path / "r.json", cut=3))
    assert not seen.complete and len(seen.probes) == 3
    assert len(seen.unjudged) == len(PROBES) - 3


def test_junit_explains_each_failure(tmp_path: Path) -> None:
    xml = JUnitXml.fromfile(str(filed(JUNIT, tmp_path / "r.xml")))
    cases = {case.name.split(":")[0]: case for suite in xml for case in suite}
    assert len(cases) == len(PROBES) and cases["C3"].is_passed
    (failure,) = cases["C4-node-1-80"].result
    assert failure.type == "unexpected-answer" and "by hand     docker exec" in failure.text
    (error,) = cases["C2-proxy"].result
    assert type(error).__name__ == "Error" and "error dialing backend" in error.message
    assert (xml.tests, xml.failures) == (len(PROBES), 1)


def test_junit_of_a_run_cut_short_counts_what_was_not_judged(tmp_path: Path) -> None:
    xml = JUnitXml.fromfile(str(filed(JUNIT, tmp_path / "r.xml", cut=3)))
    unjudged = [
        case for suite in xml for case in suite if case.result and case.result[0].type == "not-judged"
    ]
    assert len(unjudged) == len(PROBES) - 3


every_report = pytest.mark.parametrize("report", [JSON, JUNIT, MARKDOWN], ids=lambda report: report.name)


@every_report
def test_a_report_that_cannot_be_written_is_told_before_the_run(report: Report, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="cannot be written"),
        written(report, tmp_path / "none" / "r", lambda: pytest.fail("there is no document yet")),
    ):
        pytest.fail("the run started")


@every_report
def test_a_report_is_written_whatever_ends_the_run(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "r"
    run = document(LIES, "C4-alive C4-node-1-80")
    with pytest.raises(KeyboardInterrupt), written(report, path, lambda: run):
        empty = path.read_text()
        raise KeyboardInterrupt
    assert path.read_text() == report.render(run) != empty


@every_report
def test_a_report_that_fails_is_told_in_one_sentence_and_spoils_nothing(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Run:
        raise ValueError("no such field\nline two")

    with written(report, tmp_path / "r", broken):
        pass
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"podpath: the {report.name} report ") and "(no such field)" in told
    assert told.endswith("the verdicts are not affected.")


def test_a_reporter_that_fails_is_told_once_and_ends_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    class Failing:
        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

        def __call__(self, event: Event) -> None:
            raise RuntimeError("it broke")

    with Guarded("the display", Failing()) as guarded:
        assert drafted(guarded).document().complete
    first, last = capsys.readouterr().err.splitlines()
    assert first == "podpath: the display failed (it broke); the verdicts are not affected."
    assert "(No space left on device)" in last


EVIL = "</td><script>x</script> `|` @me #1 [a](b) $x$ ~~~ *b* \x1b[31m\x00\ufffe www.a.b http://c ```"


def hostile() -> Run:
    """A run with a red probe whose every text comes from somebody hostile."""
    run = document(LIES, "C4-alive C4-node-1-80")
    replay = ReplayRecord(passes=False, last=EVIL)
    receipt = ReceiptRecord(gaps={"kernel": EVIL}, replay=replay)
    probes = [
        probe.model_copy(
            update={"why": EVIL, "command": EVIL, "sentence": f"{EVIL}: {EVIL}", "receipt": receipt}
        )
        for probe in run.probes
    ]
    cause = CauseRecord(kind="k", what=EVIL, evidence=[EVIL], explains=["C4-alive"], look=EVIL, mend=EVIL)
    claims = [claim.model_copy(update={"told": EVIL}) for claim in run.claims]
    return run.model_copy(
        update={"probes": probes, "causes": [cause], "claims": claims, "stack": EVIL, "id": EVIL}
    )


def test_junit_can_be_parsed_whatever_a_pod_said() -> None:
    cases = [case for suite in JUnitXml.fromstring(JUNIT.render(hostile()).encode()) for case in suite]
    (failure,) = next(case for case in cases if case.name.startswith("C4-node-1-80")).result
    fit = EVIL.replace("\x1b", "\ufffd").replace("\x00", "\ufffd").replace("\ufffe", "\ufffd")
    assert failure.message == fit and f"last hop    {fit}" in failure.text


def test_markdown_shows_what_a_pod_said_and_does_nothing_of_it() -> None:
    source = MARKDOWN.render(hostile())
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(source)
    ours = re.sub(
        r"</?(details|summary|h\d|p|ul|li|strong|pre|code|table|thead|tbody|tr|t[hd])( [^>]*)?>", "", html
    )
    assert "<" not in ours, "only the page's own tags are there"
    assert html.count("&lt;script&gt;x&lt;/script&gt; `|` @me #1 [a](b) $x$ ~~~ *b* ") > 10
    prose = re.sub(r"(?ms)^(`{3,})sh$.*?^\1$", "", source)
    assert not re.search(r"@me|#1\b|https?://|www\.|\$x", prose), "nobody is notified, nothing is linked"


def test_markdown_tells_causes_reds_labs_claims_and_sums_in_this_order() -> None:
    run = document(LIES, "C4-alive C4-node-1-80 C3")
    cause = CauseRecord(
        kind="k", what="the node drops", evidence=["rule 1"], explains=["C4-node-1-80"], look="a b"
    )
    told = MARKDOWN.render(run.model_copy(update={"causes": [cause]}))
    marks = (
        "## ✗ podpath: ",
        "### 1 cause explains 1 red probe",
        "**the node drops**",
        "```sh\na b\n```",
        "Everything that did not pass (1)",
        "| container-to-container | 3 | 1 |",
        "| C4 | Without a Service",
        "All claims (2)",
        "\n4 probes: ",
    )
    places = [told.index(mark) for mark in marks]
    assert places == sorted(places)


def test_a_command_is_fenced_by_more_backticks_than_it_has() -> None:
    assert fenced("echo ```` x") == ["`````sh", "echo ```` x", "`````"]
    assert plain("a|b\n<c>") == "a&#124;b &#60;c&#62;"
