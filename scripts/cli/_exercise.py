"""The exercises of `scripts/faults`: begin one, give a hint, check whether it is solved, reveal it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from labs import LABS, every_probe
from labs.claims import CLAIMS
from scripts.checks.base import Probe
from scripts.checks.request import Get
from scripts.cli._breaking import allowed, fitting, prover_of
from scripts.cli._restoring import exercise_of, restore_faults, restore_first
from scripts.errors import EXIT_FAILED, EXIT_OK, PodpathError, UsageError
from scripts.evidence.view import View
from scripts.fault import every_fault
from scripts.progress import step
from scripts.reporting.hops import drawn
from scripts.runs.document import ProbeRecord
from scripts.stack.lock import lock
from scripts.stack.profile import Profile
from scripts.suite.exercise import Exercise, choose, fit, judging, load, traceable
from scripts.suite.follow import follow
from scripts.suite.predict import RED
from scripts.suite.prove import Prover

MOST = 8
"""Lines about what is not mended yet."""


def begin(profile: Profile, lab: str, seed: int | None) -> int:
    """Breaks something and tells the symptom; raises UsageError while another exercise goes on."""
    allowed(profile)
    if load(exercise_of(profile)):
        raise UsageError(
            "an exercise is going on: scripts/faults --hint, --check or --reveal, or --undo to end it."
        )
    if lab and lab not in LABS:
        raise UsageError(f"there is no lab {lab!r}: choose from {', '.join(LABS)}.")
    seed = secrets.randbelow(10_000) if seed is None else seed
    names = fit(fitting(profile), every_probe(profile.dual), lab)
    if not names:
        raise UsageError(f"no fault turns a probe of lab {lab} red: leave --lab out.")
    name = choose(names, seed)
    fault = every_fault()[name]
    with lock(profile.cluster, "scripts/probe"), step("break something"):
        restore_first(profile, exercises=True, sweep=True)
        prover = prover_of(profile)
        site = prover.site(name)
        before, healthy = prover.fingerprint(), _trace(prover, traceable(fault, prover.every), site.view)
        Exercise(name, seed, dict(before), healthy).save(exercise_of(profile))
        try:
            prover.injector.apply(name, fault.acts(site), exercise=True)
        except BaseException:
            exercise_of(profile).unlink(missing_ok=True)
            raise
    claims = "\n".join(f"  {id:<4} {CLAIMS[id].sentence}" for id in fault.claims)
    print(f"Something is broken.\n\n  {fault.symptom}\n\nClaims that do not hold any more:\n{claims}\n")
    print("Look with kubectl, docker and scripts/trace, and mend it. Nothing else may change by that.")
    print(f"Next: scripts/probe {profile.stack}, scripts/faults {profile.stack} --hint, then --check")
    print(f"The same again: scripts/faults {profile.stack} --exercise{_lab(lab)} --seed {seed}")
    return EXIT_OK


def hint(profile: Profile) -> int:
    """The next hint; raises UsageError where no exercise goes on."""
    exercise = _going(profile)
    hints = every_fault()[exercise.fault].hints
    given = min(exercise.hints + 1, len(hints))
    replace(exercise, hints=given).save(exercise_of(profile))
    for n, text in enumerate(hints[:given], 1):
        print(f"{n}. {text}")
    left = len(hints) - given
    print(f"Next: scripts/faults {profile.stack} {'--hint' if left else '--reveal'}, or --check")
    return EXIT_OK


def check(profile: Profile) -> int:
    """Whether it is mended: the claims are green, and nothing else is other than before.

    What is red is asked once more before a learner is told so: a busy machine alone may lose a packet.
    """
    exercise = _going(profile)
    fault = every_fault()[exercise.fault]
    with lock(profile.cluster, "scripts/probe"), step("look whether it is mended"):
        prover = prover_of(profile)
        left = exercise.left(prover.fingerprint())
        probes = judging(fault, prover.every)
        view = prover.settled({lab for lab, _ in probes})
        red = _red(prover, probes, view)
        if red:
            again = {one.id for one in red}
            red = _red(prover, [(lab, probe) for lab, probe in probes if probe.id in again], view)
        if not red and not left:
            beside: list[str] = []  # dead-men, journals, marks
            restore_faults(profile, exercises=True, tell=beside.append)
    for one in red[:MOST]:
        print(f"✗ {one.id} is {one.verdict}: {one.why}")
    if red:
        print(f"Not mended yet. Next: scripts/faults {profile.stack} --hint")
        return EXIT_FAILED
    for line in left[:MOST]:
        print(f"✗ {line}")
    if left:
        print("The claims are green, but not all is as it was (- before, + now): undo what caused it.")
        print(f"Next: scripts/faults {profile.stack} --hint, or --reveal")
        return EXIT_FAILED
    print(f"Mended: {', '.join(fault.claims)} hold again, and all else is as it was.")
    print(f"Next: scripts/faults {profile.stack} --exercise")
    return EXIT_OK


def reveal(profile: Profile) -> int:
    """What is broken and how to mend it, with a request before and now; it stays until it is mended."""
    exercise = _going(profile)
    fault = every_fault()[exercise.fault]
    with lock(profile.cluster, "scripts/probe"), step("follow the request once more"):
        prover = prover_of(profile)
        site = prover.site(exercise.fault)
        broken = _trace(prover, traceable(fault, prover.every), site.view)
        pending = prover.injector.repairs.pending(exercises=True).get(exercise.fault, [])
        replace(exercise, revealed=True).save(exercise_of(profile))
    print(f"{fault.what[0].upper()}{fault.what[1:]} ({fault.cause}).\n")
    for title, text in (("before", exercise.trace), ("now", broken)):
        if text:
            print(f"A request {title}:\n{text}\n")
    print('Mend it with (eval "$(scripts/env)" first, for kubectl):')
    for repair in reversed(pending):
        print("\n".join(f"  {line}" for line in repair.by_hand))
    print(f"Next: scripts/faults {profile.stack} --check, or --undo to have it mended")
    return EXIT_OK


def _red(prover: Prover, probes: Sequence[tuple[str, Probe]], view: View) -> list[ProbeRecord]:
    """Those that are red when asked now."""
    judged, _ = prover.run(probes, view)
    return [one for one in judged if one.verdict in RED]


def _going(profile: Profile) -> Exercise:
    exercise = load(exercise_of(profile))
    if exercise is None or exercise.fault not in every_fault():
        raise UsageError(f"no exercise is going on: scripts/faults {profile.stack} --exercise begins one.")
    return exercise


def _trace(prover: Prover, probe: Probe | None, view: View) -> str:
    """A probe's request hop by hop, drawn; empty where it cannot be followed."""
    if probe is None or not isinstance(probe.check, Get):
        return ""
    try:
        followed = follow(probe.source, probe.check.to, probe.check.path, view, prover.cluster)
    except PodpathError as error:
        return f"  {error}"
    return drawn(followed.trace, f"{probe.source} → {probe.check.to}")


def _lab(lab: str) -> str:
    return f" --lab {lab}" if lab else ""
