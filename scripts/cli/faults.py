"""`scripts/faults`: proves on a real cluster that every probe can fail, and that the cause is named."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from scripts.cli._arguments import Stack
from scripts.errors import EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_OK, PodpathError, UsageError
from scripts.fault._base import Fault
from scripts.progress import say
from scripts.runs.proof import FaultRecord, Proof
from scripts.stack.lock import lock
from scripts.stack.profile import Profile, profile_of


def faults(
    stack: Stack = "kind",
    k: Annotated[
        str, typer.Option("-k", help="Apply only this fault or cause, or the faults with this text.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the faults; needs no cluster.")] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo whatever faults have left behind, and exit.")
    ] = False,
    json: Annotated[str, typer.Option(metavar="FILE", help="Write the result as JSON.")] = "",
    junit: Annotated[str, typer.Option(metavar="FILE", help="Write the result as JUnit XML.")] = "",
    exercise: Annotated[
        bool, typer.Option("--exercise", help="Break something and tell its symptom: you find the cause.")
    ] = False,
    lab: Annotated[str, typer.Option(help="With --exercise: break something of this lab.")] = "",
    seed: Annotated[
        int | None, typer.Option(help="With --exercise: the number of an exercise, to repeat it.")
    ] = None,
    hint: Annotated[bool, typer.Option("--hint", help="Show the next hint of the exercise.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check whether the exercise is solved.")] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show what the exercise broke, and how to mend it.")
    ] = False,
) -> int:
    """Applies one fault after the other: the predicted probes must notice it, and its cause must be named."""
    from scripts.cli._breaking import chosen

    profile = profile_of(stack)
    if sum((list_, undo, exercise, hint, check, reveal)) > 1:
        raise UsageError("--list, --undo, --exercise, --hint, --check and --reveal exclude each other.")
    if (lab or seed is not None) and not exercise:
        raise UsageError("--lab and --seed go with --exercise.")
    if exercise or hint or check or reveal:
        from scripts.cli import _exercise

        if exercise:
            return _exercise.begin(profile, lab, seed)
        return (_exercise.hint if hint else _exercise.check if check else _exercise.reveal)(profile)
    if list_:
        print(listing(chosen(k)))
        return EXIT_OK
    if undo:
        return _undo(profile)
    from scripts.cli._breaking import named, shown
    from scripts.reporting.proof import show

    named(profile, k)
    proof = _proven(profile, shown(profile, k), json, junit)
    show(proof)
    print(_next(proof))
    return code_of(proof)


def listing(wanted: Mapping[str, Fault]) -> str:
    """The faults by name: what each does, which claims it is for, and which cause is to be named."""
    width = max(map(len, wanted))
    return "\n".join(
        f"{name:<{width}}  {one.what} ({', '.join(one.claims)}; {one.cause})"
        + (", on a stack with a NetworkPolicy engine" if one.enforced else "")
        for name, one in wanted.items()
    )


def code_of(proof: Proof) -> int:
    """0 if every fault was noticed, rightly named and undone; 3 if one was not undone; else 1."""
    if not all(one.restored for one in proof.faults):
        return EXIT_ENVIRONMENT
    fine = all(one.noticed and not one.false and one.called for one in proof.faults)
    return EXIT_OK if fine else EXIT_FAILED


def _next(proof: Proof) -> str:
    for one in proof.faults:
        if not one.restored:
            return f"Next: scripts/faults {proof.stack} --undo, then scripts/up {proof.stack}"
        if not one.noticed or one.false or not one.called:
            return f"Next: scripts/faults {proof.stack} -k {one.id}"
    return f"Next: scripts/probe {proof.stack}"


def _undo(profile: Profile) -> int:
    from scripts.cli._restoring import restore_faults

    with lock(profile.cluster, "scripts/probe"):
        undone = restore_faults(profile, exercises=True, sweep=True)
    print(f"undone: {', '.join(undone)}" if undone else "nothing is left of any fault")
    print(f"Next: scripts/probe {profile.stack}")
    return EXIT_OK


def _proven(profile: Profile, wanted: Mapping[str, Fault], json: str, junit: str) -> Proof:
    """Proves the faults in turn; what is known is written to the files however it ends."""
    from scripts.cli._breaking import baseline, prover_of, watched
    from scripts.cli._restoring import restore_faults, restore_first
    from scripts.reporting.output import writable
    from scripts.reporting.proof import row, write_junit, wrong

    writable(json, junit)
    begun, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    found: list[FaultRecord] = []

    def proof() -> Proof:
        return Proof(
            schema=1,
            stack=profile.stack,
            started=started,
            seconds=round(time.monotonic() - begun, 1),
            faults=found,
        )

    try:
        with lock(profile.cluster, "scripts/probe"):
            restore_first(profile)
            restore_faults(profile, exercises=True, sweep=True)
            prover = prover_of(profile)
            with watched(profile):
                if red := baseline(prover, wanted):
                    mend = f"mend it first: scripts/up {profile.stack}"
                    raise PodpathError(f"the stack is not green before any fault ({red}): {mend}.")
                for n, (name, fault) in enumerate(wanted.items(), 1):
                    one = prover.prove(name, fault)
                    found.append(one)
                    left = (time.monotonic() - begun) / n * (len(wanted) - n)
                    say(f"[{n}/{len(wanted)}, {left:.0f} s left] {row(one, 0)}")
                    for line in wrong(one):
                        say(f"    {line}")
    finally:
        if json:
            Path(json).write_text(proof().text() + "\n")
        if junit:
            write_junit(Path(junit), proof())
    return proof()
