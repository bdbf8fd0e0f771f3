"""A run as JUnit XML, as GitHub, GitLab and Jenkins read it: a suite a lab, a case a probe."""

from __future__ import annotations

import io
import re
from typing import Any

from scripts.checks.verdict import Verdict
from scripts.reporting.facts import facts_of
from scripts.reporting.files import Report
from scripts.reporting.reds import reds_of
from scripts.runs.document import CauseRecord, ProbeRecord, Run

UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry, in no form."""


def junit(run: Run) -> str:
    """The XML. A probe that failed is a failure, one that is inconclusive or not judged an error.

    The failure's message is why; its text is the cause, what was expected and seen, the last hop, and what to
    type. Names and class names stay the same from run to run.
    """
    from junitparser import Error, JUnitXml, TestCase, TestSuite

    causes_of = reds_of(run).causes_of
    suites: dict[str, TestSuite] = {}

    def add(id: str, lab: str, sentence: str, result: Any) -> None:
        case = TestCase(_fit(f"{id}: {sentence}"), _fit(f"podpath.{lab}"))
        case.result = [] if result is None else [result]
        if lab not in suites:
            suites[lab] = TestSuite(_fit(lab))
            suites[lab].timestamp = _fit(run.started)
            suites[lab].add_property("podpath.run", _fit(run.id))
            suites[lab].add_property("podpath.stack", _fit(run.stack))
        suites[lab].add_testcase(case)

    for probe in run.probes:
        add(probe.id, probe.lab, probe.sentence, _result(probe, causes_of.get(probe.id)))
    for left in run.unjudged:
        why = Error("the run ended before this probe was judged", "not-judged")
        add(left.id, left.lab, left.sentence, why)
    xml: Any = JUnitXml("podpath")
    for suite in suites.values():
        xml.add_testsuite(suite)
    xml.update_statistics()
    xml.time = run.seconds
    out = io.BytesIO()
    xml.write(out)
    return out.getvalue().decode() + "\n"


def _result(probe: ProbeRecord, cause: CauseRecord | None) -> Any:
    """What junitparser has for a verdict; None for a probe that passed."""
    from junitparser import Error, Failure, Skipped

    if probe.verdict is Verdict.PASSED:
        return None
    why = _fit(probe.why or str(probe.verdict))
    if probe.verdict is Verdict.SKIPPED:
        return Skipped(why)
    made = Failure if probe.verdict is Verdict.FAILED else Error
    result = made(why, str(probe.failure or probe.verdict))
    result.text = _fit("\n".join(f"{fact.label:<12}{fact.text}" for fact in facts_of(probe, cause)))
    return result


def _fit(text: str) -> str:
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


JUNIT = Report("JUnit", '<?xml version="1.0"?>\n<testsuites/>\n', junit)
