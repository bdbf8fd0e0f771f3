"""What causes say to type, typed: under a fault every command to look prints something, and one mends it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced

from scripts.cli._breaking import prover_of, watched
from scripts.cli._restoring import restore_first
from scripts.fault import every_fault
from scripts.fault._base import Fault
from scripts.paths import ROOT
from scripts.progress import say
from scripts.runs.document import CauseRecord
from scripts.stack.lock import lock
from scripts.stack.profile import profile_of
from scripts.stack.variables import environment
from scripts.suite.predict import RED, asked
from scripts.suite.prove import Prover

LIMIT = 110.0
"""Seconds after which the nodes undo a fault by themselves."""
PATIENCE = 60
"""Seconds for one command."""


@dataclass
class Advice:
    """What became of the commands of a fault's causes: ``bad`` are those that failed, with what they said."""

    fault: str
    causes: Sequence[CauseRecord] = ()
    bad: list[str] = field(default_factory=list)
    red: list[str] = field(default_factory=list)
    """Probes that were red, and still are after the commands to mend."""
    left: list[str] = field(default_factory=list)
    """What was not as before after the fault's own undoing."""


def typed(command: str, stack: str) -> subprocess.CompletedProcess[str]:
    """A command as a person types it, with the variables of scripts/env."""
    env = {**os.environ, **environment(stack)}
    return subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def under(prover: Prover, name: str, fault: Fault, stack: str) -> Advice:
    """Applies a fault, types what its causes advise, and undoes what is left of it."""
    found = Advice(name)
    only = replaced(fault, beside=())
    before = prover.fingerprint()
    site = prover.site(name)
    standing = prover.injector.apply(name, fault.acts(site), LIMIT)
    try:
        probes = asked(only, prover.every)
        judged, found.causes = prover.run(probes, prover._view(fault, probes, site))
        were = {one.id for one in judged if one.verdict in RED}
        mends = list[str]()
        for cause in (one for one in found.causes if not one.warning):
            looked = typed(cause.look, stack)
            if looked.returncode or not looked.stdout.strip():
                found.bad.append(f"look: {cause.look} → {looked.returncode} {looked.stderr.strip()[-200:]}")
            if cause.mend and not cause.mend.startswith("scripts/up"):
                mends.append(cause.mend)
                mended = typed(cause.mend, stack)
                if mended.returncode:
                    told = f"{mended.returncode} {mended.stderr.strip()[-200:]}"
                    found.bad.append(f"mend: {cause.mend} → {told}")
        if mends:
            view = (
                prover.settled({lab for lab, _ in probes}) if fault.changes_rules else prover.cluster.look()
            )
            again, _ = prover.run([(lab, one) for lab, one in probes if one.id in were], view)
            found.red = [f"{one.id}: {one.why or ''}" for one in again if one.verdict in RED]
    finally:
        prover.injector.undo(standing)
    found.left = prover.unlike(before)
    return found


def advised(names: Sequence[str], stack: str = "kind") -> list[Advice]:
    """Each of these faults in turn, under the stack's lock."""
    profile, every = profile_of(stack), every_fault()
    with lock(profile.cluster, "scripts/probe"):
        restore_first(profile)
        prover = prover_of(profile)
        with watched(profile):
            return [under(prover, name, every[name], stack) for name in names]


def main(names: Sequence[str]) -> int:
    """Tells what became of these faults; 1 if a command failed or mended nothing."""
    wrong = 0
    for one in advised(names):
        for cause in (cause for cause in one.causes if not cause.warning):
            say(f"{one.fault}: {cause.kind}: {cause.what}\n    look {cause.look}\n    mend {cause.mend}")
        for what, lines in (("BAD", one.bad), ("STILL RED", one.red), ("LEFT", one.left)):
            wrong += bool(lines)
            for line in lines:
                say(f"  {what} {one.fault}: {line}")
        if not one.causes:
            say(f"{one.fault}: nothing was named")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
