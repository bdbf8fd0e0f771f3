"""Records worlds on running stacks: what `scripts/test --record [NAME]...` runs.

A name is a stack, to record its green world, or a fault (scripts/fault), to record the stack `kind` with that
fault. The default is everything that can be recorded on the stacks that are up. ``--rejudge`` needs no
cluster: it replays every world and makes today's verdicts the expected ones. After the word ``scenes`` the
names are those of faults, of each of which is recorded in what its cause was found.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence

from labs import every_probe
from scripts.cli._asking import at_rest
from scripts.cli._breaking import prover_of, watched
from scripts.cli._restoring import journal_of, restore_first
from scripts.clusters.base import LISTS, cluster_of
from scripts.errors import EXIT_OK, PodpathError, UsageError
from scripts.fault import every_fault
from scripts.fault._base import Fault
from scripts.progress import say
from scripts.stack.lock import lock
from scripts.stack.profile import Profile, profile_of, stacks
from scripts.suite.prove import Prover
from tests.worlds import record_scenes
from tests.worlds import world as worlds
from tests.worlds.recorder import Recorder
from tests.worlds.world import World, load, names, replay, save, world_of

GREEN = "nothing is wrong"
FAULTY = "kind"
"""The stack that faults are applied to."""
LONGEST = 600.0
"""Seconds that a recording may take before its fault is undone under it."""


def main(arguments: Sequence[str]) -> int:
    """Records the worlds that are named and returns the exit code."""
    try:
        if arguments == ["--rejudge"]:
            for name in names():
                rejudge(load(name))
            return EXIT_OK
        if arguments[:1] == ["scenes"]:
            record_scenes.main(arguments[1:])
            return EXIT_OK
        for name in arguments or recordable():
            record(name)
    except PodpathError as error:
        print(f"podpath: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_OK


def recordable() -> list[str]:
    """All worlds of the stacks that are up."""
    up = [stack for stack in stacks() if profile_of(stack).kubeconfig.exists()]
    return [*up, *(every_fault() if FAULTY in up else ())]


def record(name: str) -> World:
    """Records one world; a fault is undone whatever happens. Raises PodpathError."""
    known = [*stacks(), *every_fault()]
    if name not in known:
        raise UsageError(f"{name!r} is no world: choose from {', '.join(known)}.")
    fault = every_fault().get(name)
    stack = FAULTY if fault else name
    profile = profile_of(stack)
    with lock(profile.cluster, "scripts/probe"):
        restore_first(profile)
        if fault is None:
            return recorded(name, stack, GREEN)
        with watched(profile):
            return under(fault, prover_of(profile, cluster_of(profile)), name, profile)


def under(fault: Fault, prover: Prover, name: str, profile: Profile) -> World:
    """Records a world while a fault is applied; it is undone, and all is as it was, when this returns."""
    before = prover.fingerprint()
    with prover.injector.applied(name, fault.acts(prover.site(name)), LONGEST):
        world = recorded(name, profile.stack, fault.what)
    for line in prover.unlike(before):
        say(f"  not as before: {line}")
    return world


def recorded(name: str, stack: str, what: str) -> World:
    """Waits for the labs to be at rest, runs all probes and writes the world's file."""
    begun, profile = time.monotonic(), profile_of(stack)
    probes = every_probe(profile.dual)
    view, cluster, _ = at_rest(profile, {lab for lab, _ in probes}, False)
    lists = [cluster.api.items(path) for path in LISTS]
    world = world_of(name, what, secrets.token_hex(8), view, lists)
    recorder = Recorder(cluster.execute, cluster.api)
    worlds.record(world, recorder, probes, journal=journal_of(profile))
    path = save(world)
    verdicts = Counter(verdict for verdict, _ in world.probes.values())
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    say(f"{path.name}: {path.stat().st_size >> 10} KiB, {told} ({time.monotonic() - begun:.0f} s)")
    for line in differences(world):
        say(f"  the replay differs: {line}")
    return world


def differences(world: World) -> list[str]:
    """The probes whose verdict in a replay differs from the expected one, a line each."""
    run, _ = replay(world)
    lines = []
    for one in run.probes:
        now = (one.verdict.value, one.failure or "")
        if now != (was := world.probes[one.id]):
            lines.append(f"{one.id}: {' '.join(was).strip()} → {' '.join(now).strip()} ({one.why or ''})")
    return lines


def rejudge(world: World) -> None:
    """Makes the verdicts of a replay the expected ones and prints what changed."""
    changed = differences(world)
    for line in changed:
        say(f"{world.name}: {line}")
    run, replayer = replay(world)
    if replayer.missing:
        say(f"{world.name}: these probes ask something new: {', '.join(replayer.missing)}")
    if changed:
        world.expect(run)
        save(world)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
