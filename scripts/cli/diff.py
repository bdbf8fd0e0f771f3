"""`scripts/diff`: says in words what changed from one run to another."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from scripts.errors import EXIT_FAILED, EXIT_OK, UsageError
from scripts.reporting.difference import show
from scripts.reporting.html.diff import render_diff
from scripts.reporting.output import STDOUT, writable, written
from scripts.runs.compare import compare
from scripts.runs.document import Run
from scripts.runs.named import newest, others_of, read_any, run_named
from scripts.runs.record import RUNS

NAMED = "a run's id or its beginning, a stack (its newest run), a folder, or a file of scripts/probe --json"


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=f"The run before: {NAMED}.")] = "",
    after: Annotated[str, typer.Argument(metavar="B", help="The run after, named in the same way.")] = "",
    stack: Annotated[
        str, typer.Option(help="The stack whose newest runs are compared without A and B.")
    ] = "kind",
    json: Annotated[
        str, typer.Option(metavar="FILE", help="Write the differences as JSON; - is standard output.")
    ] = "",
    html: Annotated[
        str, typer.Option(metavar="FILE", help="Draw them as a page, before and after; - as above.")
    ] = "",
) -> int:
    """Says in words what changed from run A to run B (by default, the last two runs of the stack).

    It compares verdicts, paths, causes, versions, features, nodes, and timings beyond noise. Exits with 1 if
    a verdict became worse, with 0 if none did.
    """
    if json == html == STDOUT:
        raise UsageError("--json and --html cannot both write to standard output: give one of them a file.")
    writable(json, html)
    old, new = _chosen(before, after, stack)
    differs = compare(old, new, others_of(new, {old.id, new.id}, RUNS))
    if json:
        written(json, differs.text() + "\n")
    if html:
        written(html, render_diff(old, new, differs))
    if STDOUT not in (json, html):
        show(differs, sys.stdout)
    print(f"Next: scripts/report {after or new.id}", file=sys.stderr)
    return EXIT_FAILED if differs.worse else EXIT_OK


def _chosen(before: str, after: str, stack: str) -> tuple[Run, Run]:
    """The two runs; one that is not named is the newest, or the newest but one, of the stack."""
    if after:
        return run_named(before, RUNS), run_named(after, RUNS)
    if before:
        old = run_named(before, RUNS)
        return old, read_any(newest(old.stack, 1, RUNS)[-1])
    old_folder, new_folder = newest(stack, 2, RUNS)
    return read_any(old_folder), read_any(new_folder)
