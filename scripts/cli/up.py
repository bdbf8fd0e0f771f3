"""`scripts/up`: takes a bare machine to a verdict."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from labs import LABS, every_probe
from labs.claims import DOORS
from scripts.cli._arguments import Stack, Verbose, chosen_labs
from scripts.cli._asking import GREEN, RED, at_rest, judge
from scripts.cli._restoring import restore_alone
from scripts.clusters.base import provider_of
from scripts.errors import EXIT_OK, UsageError
from scripts.paths import STATE, private_folder
from scripts.progress import say
from scripts.stack.lock import lock
from scripts.stack.profile import Profile, profile_of
from scripts.suite.choose import of_claims


def up(
    stack: Stack = "kind",
    labs: Annotated[str, typer.Option(help="Deploy only these labs (comma-separated).")] = "",
    no_probe: Annotated[bool, typer.Option("--no-probe", help="Deploy, but do not probe.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Tear the stack down first, and make a new cluster.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Change a cluster that podpath did not make without asking.")
    ] = False,
    build: Annotated[
        bool, typer.Option("--build", help="Pull nothing: build what is not there yet.")
    ] = False,
    verbose: Verbose = False,
) -> int:
    """Takes a bare machine to a verdict: tools, cluster, images, pulumi up, probes, report."""
    profile = profile_of(stack)
    chosen = chosen_labs(labs)
    _ = profile.outside_range, profile.registry  # bad input ends here, before anything is made
    begun = time.monotonic()
    private_folder(STATE)
    provider, red = provider_of(profile), (profile.folder / RED).exists()
    if (asked := provider.question(profile)) and not yes:
        _agreed(asked, stack)
    with lock(profile.cluster):
        if fresh:
            provider.tear_down(profile, at_once=True)
        changed = provider.bring_up(
            profile,
            chosen,
            lambda: restore_alone(profile, exercises=True, sweep=True),
            suspect=red,
            build=build,
        )
        if changed:
            (profile.folder / GREEN).unlink(missing_ok=True)
    say(f"up after {time.monotonic() - begun:.1f} s")
    if no_probe:
        at_rest(profile, LABS, fresh=changed)
        print(f"The labs are up. Next: scripts/probe {stack}")
        return EXIT_OK
    code = _probe(profile, changed, verbose)
    if code != EXIT_OK and profile.terms is None:
        print(f"If the cluster itself is broken: scripts/up {stack} --fresh makes a new one.")
    return code


def _agreed(question: str, stack: str) -> None:
    """Returns if a person says yes; raises UsageError where nobody can or nobody does."""
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can answer here: type scripts/up {stack} --yes to agree.")
    if not typer.confirm(f"{question} Go on?", err=True):
        raise UsageError("nothing was changed.")


def _probe(profile: Profile, changed: bool, verbose: bool) -> int:
    """Judges every claim, or only the doors if all were judged before and nothing has changed since."""
    judged = profile.folder / GREEN
    if judged.exists() and not changed:
        say("nothing has changed since every claim was judged: checking the doors (all: scripts/probe)")
        return judge(profile, of_claims(every_probe(profile.dual), DOORS), verbose=verbose)
    judged.unlink(missing_ok=True)
    return judge(profile, every_probe(profile.dual), fresh=changed, verbose=verbose)
