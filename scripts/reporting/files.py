"""Reports in files: each is opened before the run and written however the run ends.

A report is a function from a run to a text. One that fails is told of, and the verdicts stand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.reporting.output import refusal
from scripts.runs.document import Run


@dataclass(frozen=True)
class Report:
    """A kind of report: its name, the text of one about nothing, and how a run is rendered."""

    name: str
    empty: str
    render: Callable[[Run], str]


JSON = Report("JSON", "{}\n", lambda run: f"{run.text()}\n")


@contextmanager
def written(report: Report, path: Path, document: Callable[[], Run]) -> Iterator[None]:
    """Writes a report about ``document`` at the end of the block, whatever ended it.

    Raises UsageError before the block if ``path`` cannot be written.
    """
    try:
        path.write_text(report.empty, encoding="utf-8")
    except OSError as error:
        raise refusal(path, error) from None
    try:
        yield
    finally:
        with harmless(f"the {report.name} report {path} could not be written"):
            path.write_text(report.render(document()), encoding="utf-8")


@contextmanager
def harmless(what: str) -> Iterator[None]:
    """Lets an error of a reporter end the block and no more: it is told in one sentence on stderr."""
    try:
        yield
    except Exception as error:
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        print(f"podpath: {what} ({reason}); the verdicts are not affected.", file=sys.stderr)
