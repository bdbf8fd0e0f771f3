"""Asks probes with every report attached; shared by `scripts/probe` and `scripts/up`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labs import every_probe
from labs.claims import CLAIMS
from scripts.checks.base import Probe
from scripts.checks.verdict import Verdict
from scripts.cli._restoring import exercise_goes_on, journal_of, restore_first
from scripts.errors import EXIT_FAILED, EXIT_OK
from scripts.progress import say
from scripts.reporting.console import show
from scripts.reporting.files import Report, harmless, written
from scripts.reporting.guard import Guarded
from scripts.reporting.progress import Progress
from scripts.runs.document import Run
from scripts.runs.draft import Draft
from scripts.runs.events import CausesFound, Event, Observer, Phase, PhaseStarted, Waiting
from scripts.runs.record import Record, pace, run_id
from scripts.stack.lock import lock
from scripts.stack.profile import Profile
from scripts.waiting import TIMEOUTS

if TYPE_CHECKING:
    from scripts.clusters.base import Cluster
    from scripts.evidence.view import View
    from scripts.transport.executor import Executor, Place

GREEN, RED = "judged", "red"
"""Marks in a stack's folder: every claim was judged and nothing was red since; a run was red since then."""
Reports = Sequence[tuple[str, Report]]
"""Files to write, each with what is written into it; those with an empty path are not."""


def judge(
    profile: Profile,
    probes: Sequence[tuple[str, Probe]],
    reports: Reports = (),
    fresh: bool = False,
    verbose: bool = False,
    drop_reasons: bool = False,
) -> int:
    """Asks these probes, reports, and returns the exit code.

    ``reports`` are files to write; ``fresh``: the labs have just changed; ``verbose``: every probe is shown;
    ``drop_reasons``: the kernel is asked why it drops packets of reds.
    """
    with lock(profile.cluster, "scripts/probe"):
        run, folder = _run(profile, probes, reports, fresh, drop_reasons)
    with harmless("the verdicts could not be shown"):
        show(run, verbose=verbose)
    print(f"All evidence: {folder}/. {following(run, len(every_probe(profile.dual)))}")
    _mark(profile, run)
    return exit_code(run)


def told(event: Event) -> None:
    """Prints what is waited for, where nobody shows more of a run."""
    if isinstance(event, Waiting):
        say(event.what)


def at_rest(
    profile: Profile, labs: Collection[str], fresh: bool, observe: Observer = told
) -> tuple[View, Cluster, Executor]:
    """The stack's cluster once ``labs`` have settled, and an executor that avoids nodes that do not answer.

    ``fresh``: it has just changed. Raises PodpathError when no cluster answers.
    """
    from scripts.clusters.base import cluster_of
    from scripts.suite.pulse import Guarded, silent_nodes
    from scripts.suite.settle import FRESH_QUIET, QUIET, settled

    observe(PhaseStarted(Phase.READING))
    cluster = cluster_of(profile)
    view = cluster.look()
    silent = silent_nodes(view, cluster.execute)
    view = replace(view, silent=silent)
    for node, why in silent.items():
        say(f"node {node} does not answer: {why}; probes that need it are inconclusive")
    execute = Guarded(cluster.execute, silent, view.agent_places())
    if view.blind:
        say(f"no kernel is looked at ({view.blind}): client, server and API judge")
    quiet = FRESH_QUIET if fresh else QUIET
    observe(PhaseStarted(Phase.SETTLING, limit=TIMEOUTS.ready))

    def wait(what: str) -> None:
        observe(Waiting(what))

    return settled(view, cluster.snapshot, execute, labs, wait, quiet), cluster, execute


def untold(observer: Observer) -> Observer:
    """An observer that hears where packets were last seen, and not why: somebody is looking for it."""

    def observe(event: Event) -> None:
        if isinstance(event, CausesFound):
            replays = {
                id: one.model_copy(update={"ended": [], "trace": None, "dropped": []})
                for id, one in event.replays.items()
            }
            event = replace(event, causes=(), replays=replays)
        observer(event)

    return observe


def exit_code(run: Run) -> int:
    """0 if a probe passed and none failed or was inconclusive, else 1."""
    verdicts = {result.verdict for result in run.probes}
    green = Verdict.PASSED in verdicts and not verdicts & {Verdict.FAILED, Verdict.INCONCLUSIVE}
    return EXIT_OK if green else EXIT_FAILED


def following(run: Run, whole: int) -> str:
    """The next command to type; ``whole`` is how many probes the stack has."""
    if any(cause.mend and not cause.warning for cause in run.causes):
        return f"Next: mend what is named above, then scripts/probe {run.stack}"
    for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        for result in run.probes:
            if result.verdict is verdict:
                return f"Next: scripts/probe {run.stack} -k {result.id}"
    part = len(run.probes) < whole
    return f"Next: scripts/{'probe' if part else 'down'} {run.stack}"


def _mark(profile: Profile, run: Run) -> None:
    """Keeps what the next `scripts/up` has to know of a run; a green part says nothing of the rest."""
    if any(result.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE) for result in run.probes):
        (profile.folder / GREEN).unlink(missing_ok=True)
        (profile.folder / RED).touch()
    elif exit_code(run) == EXIT_OK and len(run.probes) == len(every_probe(profile.dual)):
        (profile.folder / GREEN).touch()
        (profile.folder / RED).unlink(missing_ok=True)


def _run(
    profile: Profile, probes: Sequence[tuple[str, Probe]], reports: Reports, fresh: bool, drop_reasons: bool
) -> tuple[Run, Path]:
    """Reads the cluster's state and runs the probes, with every report attached."""
    from scripts.reporting.html.files import HTML
    from scripts.suite.pulse import silent_nodes
    from scripts.suite.run import run

    carriers: dict[str, list[str]] = {}
    for _, one in every_probe(profile.dual):
        carriers.setdefault(one.claim, []).extend([one.id] if one.carries else [])
    draft = Draft({id: claim.sentence for id, claim in CLAIMS.items()}, carriers)
    with ExitStack() as open_:
        for path, report in reports:
            if path:
                open_.enter_context(written(report, Path(path), draft.document))
        restore_first(profile)
        shown = Progress(pace=pace(profile.stack, len(probes)))
        progress = open_.enter_context(Guarded("the progress report", shown))
        view, cluster, execute = at_rest(profile, {name for name, _ in probes}, fresh, progress)
        record = Record(run_id(profile.stack), draft)
        open_.enter_context(written(HTML, record.folder / "report.html", draft.document))
        observers: list[Observer] = [
            draft,
            progress,
            open_.enter_context(Guarded("the run's record", record)),
        ]
        if exercise_goes_on(profile):
            say("an exercise is going on: what is broken is not told (scripts/faults --hint, --reveal)")
            observers = [*map(untold, observers)]
        run(
            probes,
            view,
            cluster.api,
            execute,
            observers,
            record.folder.name,
            journal_of(profile),
            lambda: silent_nodes(view, execute),
            drops=_watched(view, execute) if drop_reasons else None,
        )
    return draft.document(), _shown(record.folder)


def _watched(view: View, execute: Executor) -> dict[str, Place]:
    """Where the kernel's drop reasons may be asked for; says in a sentence where they may not."""
    from scripts.suite.dropping import usable

    places, refused = usable(view, execute)
    if refused:
        say(f"the kernel's drop reasons are not told: {refused}")
    return places


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
