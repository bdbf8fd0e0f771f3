"""`scripts/probe`: asks the probes and reports the verdict on each claim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

import typer

from labs import every_probe
from labs.claims import CLAIMS
from scripts.checks.base import Probe
from scripts.cli._arguments import HtmlFile, JsonFile, JunitFile, MarkdownFile, Stack, Verbose
from scripts.errors import EXIT_OK
from scripts.stack.profile import profile_of
from scripts.suite.choose import chosen


def probe(
    stack: Stack = "kind",
    lab: Annotated[str, typer.Option(help="Ask only the probes of this lab.")] = "",
    k: Annotated[
        str, typer.Option("-k", help="Ask only this probe or claim, or the probes with this text.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the probes; needs no cluster.")] = False,
    json: JsonFile = "",
    junit: JunitFile = "",
    markdown: MarkdownFile = "",
    html: HtmlFile = "",
    drop_reasons: Annotated[
        bool,
        typer.Option("--drop-reasons", help="Also ask the kernel why it dropped packets (needs tracefs)."),
    ] = False,
    verbose: Verbose = False,
) -> int:
    """Asks the probes of a stack's labs and reports the verdict on each claim of the article."""
    profile = profile_of(stack)
    probes = chosen(every_probe(profile.dual), lab, k)
    if list_:
        print(listing(probes))
        return EXIT_OK
    from scripts.cli._asking import judge
    from scripts.reporting.files import JSON
    from scripts.reporting.html.files import HTML
    from scripts.reporting.junit import JUNIT
    from scripts.reporting.markdown import MARKDOWN

    reports = (
        (json, JSON),
        (junit, JUNIT),
        (markdown, MARKDOWN),
        (html, HTML),
    )
    return judge(profile, probes, reports, verbose=verbose, drop_reasons=drop_reasons)


def listing(probes: Iterable[tuple[str, Probe]]) -> str:
    """The probes by lab and claim, in words; under its lab's name no sentence needs to repeat it."""
    lines: list[str] = []
    lab = claim = ""
    for of, probe in probes:
        if of != lab:
            lines += ["", of] if lines else [of]
            lab, claim = of, ""
        if probe.claim != claim:
            lines.append(f"  {probe.claim} {CLAIMS[probe.claim].sentence}")
            claim = probe.claim
        lines.append(f"    {probe.id:<14} {replace(probe, within='')}")
    return "\n".join(lines)
