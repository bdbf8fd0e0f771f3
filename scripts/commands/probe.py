"""`scripts/probe`: asks every probe and says what it proves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labs import LABS, probes_of
from labs.claims import DOORS
from labs.model import Probe
from scripts.cluster.cluster import lock
from scripts.cluster.profile import Profile, profile_of
from scripts.commands.shell import Stack, start
from scripts.errors import EXIT_FAILED, EXIT_OK, UsageError
from scripts.probing.events import Observer, RunFinished
from scripts.probing.verdict import Verdict
from scripts.progress import say

if TYPE_CHECKING:
    from scripts.probing.kube import Kube
    from scripts.probing.view import View


def probe(
    stack: Stack = "kind",
    lab: Annotated[str, typer.Option(help="Only the probes of this lab.")] = "",
    k: Annotated[str, typer.Option("-k", help="Only this probe or claim, or what has this text.")] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the probes; needs no cluster.")] = False,
    json: Annotated[str, typer.Option(metavar="FILE", help="Write the run as JSON.")] = "",
    junit: Annotated[str, typer.Option(metavar="FILE", help="Write the run as JUnit XML.")] = "",
) -> int:
    """Asks every probe of the stack's labs and says what each claim of the article comes to."""
    profile = profile_of(stack)
    probes = chosen(lab, k)
    if list_:
        from scripts.reporting.console import listing

        print(listing(probes))
        return EXIT_OK
    return judge(profile, probes, json, junit)


def judge(profile: Profile, probes: Sequence[tuple[str, Probe]], json: str = "", junit: str = "") -> int:
    """Asks these probes, reports, and returns the exit code."""
    with lock(profile.cluster, "scripts/probe"):
        run, folder = _run(profile, probes, json, junit)
    print(f"All evidence: {folder}/. {following(run)}")
    return exit_code(run)


def doors() -> list[tuple[str, Probe]]:
    """The probes (with their lab) of the claims that a quick look asks for, and their positive controls."""
    return _with_controls({one.id for _, one in every() if one.claim in DOORS})


def every() -> list[tuple[str, Probe]]:
    """All probes, each with its lab."""
    return [(name, one) for name in LABS for one in probes_of(name)]


def chosen(lab: str, text: str) -> list[tuple[str, Probe]]:
    """The probes (with their lab) that the filters leave, and the positive controls that they need.

    A text that is a probe's or a claim's id means just these; any other one is looked for everywhere.

    Raises UsageError for an unknown lab or a text that nothing has.
    """
    if lab and lab not in LABS:
        raise UsageError(f"there is no lab {lab!r}: choose from {', '.join(LABS)}.")
    here = [one for name, one in every() if lab in ("", name)]
    sought = text.lower()
    wanted = {one.id for one in here if sought in (one.id.lower(), one.claim.lower())}
    wanted = wanted or {one.id for one in here if sought in f"{one.id} {one.claim} {one}".lower()}
    if not wanted:
        raise UsageError(f"no probe has {text!r} in its id, claim or sentence: see scripts/probe --list.")
    return _with_controls(wanted)


def _with_controls(wanted: set[str]) -> list[tuple[str, Probe]]:
    controls = {one.id: one.controls for _, one in every()}
    reached, fresh = set(wanted), set(wanted)
    while fresh:
        fresh = {control for id in fresh for control in controls[id]} - reached
        reached |= fresh
    return [(name, one) for name, one in every() if one.id in reached]


def exit_code(run: RunFinished) -> int:
    """0 if something passed and nothing failed or stayed open, else 1."""
    verdicts = {result.verdict for result in run.results}
    green = Verdict.PASSED in verdicts and not verdicts & {Verdict.FAILED, Verdict.INCONCLUSIVE}
    return EXIT_OK if green else EXIT_FAILED


def following(run: RunFinished) -> str:
    """The next command to type."""
    for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        for result in run.results:
            if result.verdict is verdict:
                return f"Next: scripts/probe {run.stack} -k {result.id}"
    part = len(run.results) < sum(len(probes_of(name)) for name in LABS)
    return f"Next: scripts/{'probe' if part else 'down'} {run.stack}"


def _run(
    profile: Profile, probes: Sequence[tuple[str, Probe]], json: str, junit: str
) -> tuple[RunFinished, Path]:
    """Reads the world and runs the probes, with every report attached."""
    from scripts.probing.cluster import RealExecutor
    from scripts.probing.runner import run
    from scripts.reporting.console import Console
    from scripts.reporting.files import json_report, junit_report
    from scripts.reporting.record import Record, run_id

    with ExitStack() as reports:
        observers: list[Observer] = []
        for path, report in ((json, json_report), (junit, junit_report)):
            if path:
                observers.append(reports.enter_context(report(Path(path))))
        view, kube = at_rest(profile, {name for name, _ in probes})
        record = reports.enter_context(Record(run_id(profile.stack)))
        observers += [record, reports.enter_context(Console())]
        done = run(probes, view, kube, RealExecutor(kube), observers, record.folder.name)
        return done, _shown(record.folder)


def at_rest(profile: Profile, labs: Collection[str]) -> tuple[View, Kube]:
    """The stack's cluster once ``labs`` have settled; raises PodpathError when none answers."""
    from scripts.probing.cluster import RealExecutor, view_of
    from scripts.probing.settling import settled

    view, kube = view_of(profile)
    return settled(view, kube.snapshot, RealExecutor(kube), labs, say), kube


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    start(probe)
