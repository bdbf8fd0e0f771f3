"""`scripts/report`: lists the runs that are kept, or shows one of them again."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated

import typer

from scripts.cli._arguments import HtmlFile, JsonFile, JunitFile, MarkdownFile
from scripts.cli._opening import open_page
from scripts.errors import EXIT_OK, UsageError
from scripts.reporting.console import show
from scripts.reporting.files import JSON, written
from scripts.reporting.html.files import HTML
from scripts.reporting.junit import JUNIT
from scripts.reporting.listing import Kept, heading, listed
from scripts.reporting.markdown import MARKDOWN
from scripts.runs.named import folder_of, has_ended, read_any
from scripts.runs.record import KEPT, RUNS, runs


def report(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's id or its beginning, a stack (its newest run), or a folder."
        ),
    ] = "",
    json: JsonFile = "",
    junit: JunitFile = "",
    markdown: MarkdownFile = "",
    html: HtmlFile = "",
    open_: Annotated[bool, typer.Option("--open", help="Open the run's page in your browser.")] = False,
) -> int:
    """Lists the runs that are kept, or shows one of them again, a killed one as far as it came.

    Without RUN, a FILE or --open is of the newest run. Exits with 0, whatever the verdicts were.
    """
    if not run and not (open_ or json or junit or markdown or html):
        return _list()
    path = folder_of(run, RUNS) if run else _newest()
    document = read_any(path)
    if open_ and not html:
        html = _page_of(path)
    files = ((json, JSON), (junit, JUNIT), (markdown, MARKDOWN), (html, HTML))
    for file, kind in files:
        if file:
            with written(kind, Path(file), lambda: document):
                pass
    print("\n".join(heading(document.id if path.is_file() else path.name, document, has_ended(path))))
    show(document, sys.stdout)
    print(f"All evidence: {path}", file=sys.stderr)
    if open_:
        print(f"opened {open_page(Path(html))}", file=sys.stderr)
    return EXIT_OK


def _page_of(path: Path) -> str:
    """Where the page of a run is: in its folder."""
    if path.is_file():
        raise UsageError(
            f"{path} is a file, not a run's folder: type --html FILE to say where its page goes."
        )
    return str(path / "report.html")


def _newest() -> Path:
    if not (kept := runs(RUNS)):
        raise UsageError("there is no run yet: scripts/probe makes one.")
    return kept[-1]


def _list() -> int:
    kept = runs(RUNS)
    if not kept:
        print("There is no run yet.")
        print("Next: scripts/probe", file=sys.stderr)
        return EXIT_OK
    width = get_terminal_size().columns if sys.stdout.isatty() else 0
    print("\n".join(listed([*map(_kept, kept)], width)))
    print(f"The newest {KEPT} runs are kept, in {RUNS}.", file=sys.stderr)
    print(
        f"Next: scripts/report {kept[-1].name} shows one again, scripts/diff A B compares two",
        file=sys.stderr,
    )
    return EXIT_OK


def _kept(path: Path) -> Kept:
    """A run of the list; one that cannot be read does not hide the others."""
    try:
        return Kept(path.name, read_any(path), has_ended(path))
    except UsageError as error:
        return Kept(path.name, problem=str(error))
