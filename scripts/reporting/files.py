"""Reports in files: JSON and JUnit. Each is opened before the run and written whatever ends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.errors import UsageError
from scripts.probing.verdict import Result, Verdict
from scripts.reporting.collected import Collected


@contextmanager
def json_report(path: Path) -> Iterator[Collected]:
    """Writes the run's JSON at the end of the block; raises UsageError if ``path`` cannot be written."""
    _open(path, "{}\n")
    seen = Collected()
    try:
        yield seen
    finally:
        from scripts.reporting.schema import dumped, run_json

        path.write_text(dumped(run_json(seen.so_far(), complete=seen.finished is not None)) + "\n")


@contextmanager
def junit_report(path: Path) -> Iterator[Collected]:
    """Writes the run as JUnit XML at the end of the block, a test suite a lab; see ``json_report``."""
    _open(path, '<?xml version="1.0"?>\n<testsuites/>\n')
    seen = Collected()
    try:
        yield seen
    finally:
        _write_junit(path, seen)


def _open(path: Path, empty: str) -> None:
    try:
        path.write_text(empty)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): choose another file.") from None


def _write_junit(path: Path, seen: Collected) -> None:
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    def element(result: Result) -> Failure | Error | Skipped | None:
        finding = result.finding
        message, kind = explained(result), finding.failure.value if finding.failure else None
        if finding.verdict is Verdict.PASSED:
            return None
        made: Failure | Error | Skipped
        if finding.verdict is Verdict.FAILED:
            made = Failure(message, kind)
        elif finding.verdict is Verdict.SKIPPED:
            made = Skipped(message)
        else:
            made = Error(message, kind)
        if not isinstance(made, Skipped):
            made.text = message
        return made

    run = seen.so_far()
    suites: dict[str, TestSuite] = {}
    for result in run.results:
        case = TestCase(f"{result.id}: {result.sentence}", result.lab)
        made = element(result)
        case.result = [made] if made is not None else []
        suites.setdefault(result.lab, TestSuite(result.lab)).add_testcase(case)
    for lab, probe in seen.unjudged():
        case = TestCase(f"{probe.id}: {probe}", lab)
        case.result = [Error("the run ended before this probe was judged", "not-judged")]
        suites.setdefault(lab, TestSuite(lab)).add_testcase(case)
    xml: Any = JUnitXml("podpath")
    for suite in suites.values():
        xml.add_testsuite(suite)
    xml.update_statistics()
    xml.write(str(path))


def explained(result: Result) -> str:
    """Why a probe did not pass and what to type, in one line."""
    todo = f"; by hand: {result.command}" if result.command else ""
    return f"{result.finding.why}{todo}"
