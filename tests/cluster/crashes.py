"""Kills a run of a fault at each of its steps, and looks who repairs it: ``python -m tests.cluster.crashes``.

The victims are the runner, at every call that it makes; the runner together with its watchdog; the program
that an exec has started; the agent Pod.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from scripts.cli._breaking import prover_of
from scripts.cli._restoring import restore_faults
from scripts.evidence.fingerprint import Lines
from scripts.paths import ROOT
from scripts.stack.profile import profile_of
from scripts.suite.prove import Prover
from scripts.suite.repairs import agents_now
from scripts.transport.docker import docker
from scripts.waiting import Late, eventually
from tests.cluster.dying import NAME

PROFILE = profile_of("kind")
CALLS = 15
"""Calls of a whole run: six that apply, one that asks, six that undo, and two of the ConfigMap."""


@dataclass(frozen=True)
class Crash:
    """What is killed, and when: the runner at a point of its own, or others while the fault stands."""

    what: str
    point: int
    options: tuple[str, ...] = ()
    kill: Callable[[Prover], None] | None = None
    runner_too: bool = False
    """After the others, while the fault stands."""


def runners(points: Sequence[int]) -> list[Crash]:
    """The runner at these points; its watchdog mends."""
    return [Crash(f"runner at point {point}", point) for point in points]


def alone(points: Sequence[int]) -> list[Crash]:
    """The runner at these points, without a watchdog: dead-men mend, and the next command the rest."""
    return [Crash(f"runner and watchdog at point {point}", point, ("alone",)) for point in points]


def kill_programs(prover: Prover) -> None:
    """The dead-men of the fault on every node, and whatever an exec of it still runs."""
    for node in agents_now(prover.cluster.api):
        docker("exec", node, "pkill", "-9", "-f", f"podpath-fault-{NAME}", check=False)


def kill_agents(prover: Prover) -> None:
    """The agent Pods of the workers, at once; the DaemonSet makes new ones."""
    for node, place in agents_now(prover.cluster.api).items():
        if "control" not in node:
            path = f"/api/v1/namespaces/{place.namespace}/pods/{place.pod}"
            prover.cluster.api.delete(path, gracePeriodSeconds="0")


def await_dead_men(prover: Prover) -> None:
    """Nothing is killed here; see ``crash``."""


def undone_on_nodes(prover: Prover) -> bool:
    """Whether the dead-men have undone what is theirs: their folders are gone then."""
    lines = prover.fingerprint()
    return not any("podpath-fault" in line for line in lines if " folders: " in line)


OTHERS = [
    Crash("dead-men and execs while it stands", 0, ("wait",), kill_programs),
    Crash("dead-men and execs, then the runner", 0, ("wait",), kill_programs, True),
    Crash("agent Pods while it stands", 0, ("wait",), kill_agents),
    Crash("agent Pods, then the runner", 0, ("wait",), kill_agents, True),
    Crash("the runner, and nobody but the dead-men comes", 0, ("wait", "alone"), await_dead_men, True),
]
ALL = [*runners(range(1, 2 * CALLS + 1, 2)), *alone((3, 7, 13, 14, 21)), *OTHERS]


def crash(prover: Prover, one: Crash, before: Lines) -> tuple[float, list[str]]:
    """Seconds until all was as before, and what was not after a while."""
    argv = [sys.executable, "-m", "tests.cluster.dying", str(one.point or 10_000), *one.options]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, env=env, text=True) as runner:
        assert runner.stdin and runner.stdout
        if one.kill:
            assert runner.stdout.readline() == "applied\n"
            one.kill(prover)
            if one.runner_too:
                runner.kill()
        with suppress(BrokenPipeError):
            runner.stdin.close()
        runner.wait(timeout=120)
    begun = time.monotonic()
    if one.kill is await_dead_men:
        eventually(lambda: undone_on_nodes(prover), 30, "the dead-men to act", every=0.5)
    if "alone" in one.options:
        restore_faults(PROFILE)
    left = prover.unlike(before)
    if not left and prover.injector.repairs.pending(exercises=True):
        left = prover.unlike(before) or (["a journal is left"] if _pending(prover) else [])
    return time.monotonic() - begun, left


def _pending(prover: Prover) -> bool:
    try:
        return not eventually(lambda: not prover.injector.repairs.pending(exercises=True), 15, "no journal")
    except Late:
        return True


def main(crashes: Sequence[Crash]) -> int:
    """Prints a line for each crash; the exit code is 1 unless each was repaired."""
    prover = prover_of(PROFILE)
    before, repaired = prover.fingerprint(), 0
    for one in crashes:
        seconds, left = crash(prover, one, before)
        repaired += not left
        print(f"{'✓' if not left else '✗'} {one.what}: {seconds:.1f} s", *left, sep="\n    ", flush=True)
    print(f"repaired {repaired} of {len(crashes)}")
    return int(repaired < len(crashes))


if __name__ == "__main__":
    first, last = (int(text) for text in (sys.argv[1:3] or ("0", str(len(ALL)))))
    sys.exit(main(ALL[first:last]))
