"""Arguments that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from labs import LABS
from scripts.errors import UsageError

Stack = Annotated[str, typer.Argument(help="The stack, one of stacks/Pulumi.*.yaml.")]

Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show every probe and claim, also those that passed.")
]
JsonFile = Annotated[str, typer.Option(metavar="FILE", help="Write the run as JSON.")]
JunitFile = Annotated[str, typer.Option(metavar="FILE", help="Write the run as JUnit XML.")]
MarkdownFile = Annotated[str, typer.Option(metavar="FILE", help="Write the run as Markdown.")]
HtmlFile = Annotated[str, typer.Option(metavar="FILE", help="Write the run as a page with drawings.")]


def chosen_labs(text: str) -> list[str]:
    """The labs named in a comma-separated list; raises UsageError for an unknown one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in LABS]
    if unknown:
        raise UsageError(f"there is no lab {unknown[0]!r}: choose from {', '.join(LABS)}.")
    return names
