"""What `scripts/faults` needs to break a stack, and to have it mended however the command ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from labs import every_probe
from scripts.cli._restoring import journal_of, repairs_of
from scripts.clusters.base import Cluster, cluster_of
from scripts.errors import UsageError
from scripts.fault import every_fault
from scripts.fault._base import Fault
from scripts.paths import ROOT
from scripts.progress import say
from scripts.stack.profile import Profile
from scripts.suite.inject import Injector
from scripts.suite.predict import RED, asked
from scripts.suite.prove import Prover
from scripts.tiers import Tier
from scripts.transport.process import start_daemon


def allowed(profile: Profile) -> None:
    """Raises UsageError on a cluster where nothing may be broken."""
    if profile.tier < Tier.BREAK:
        raise UsageError(f"a fault {Tier.BREAK.needed}, and stack {profile.stack} allows less.")


def named(profile: Profile, text: str) -> None:
    """Raises UsageError where faults have to be asked for by name and were not, or may not be applied."""
    allowed(profile)
    if profile.terms is not None and not text:
        raise UsageError(
            "podpath did not make this cluster: faults are applied there only by name, with -k (see --list)."
        )


def fitting(profile: Profile) -> Mapping[str, Fault]:
    """The faults that the stack can show: those of policies need somebody who enforces them."""
    return {name: one for name, one in every_fault().items() if profile.policy_engine or not one.enforced}


def shown(profile: Profile, text: str) -> Mapping[str, Fault]:
    """The chosen faults that the stack can show; raises UsageError where none of them can be."""
    wanted, fit = chosen(text), fitting(profile)
    if not wanted.keys() & fit.keys():
        name = next(iter(wanted))
        raise UsageError(f"the fault {name} needs a NetworkPolicy engine: type it for stack kind-policy.")
    return {name: one for name, one in wanted.items() if name in fit}


def chosen(text: str) -> Mapping[str, Fault]:
    """The faults of these names or causes (with commas), or with this text; raises UsageError for none."""
    every = every_fault()
    if not text:
        return every
    if "," in text:
        return {name: one for part in text.split(",") for name, one in chosen(part.strip()).items()}
    sought = text.lower().replace("-", "_")
    exact = {name: one for name, one in every.items() if sought in (name, one.cause)}
    found = exact or {
        name: one
        for name, one in every.items()
        if text.lower() in f"{name} {one.what} {' '.join(one.claims)}".lower()
    }
    if not found:
        raise UsageError(f"no fault has {text!r} in its name or words: see scripts/faults --list.")
    return found


def prover_of(profile: Profile, cluster: Cluster | None = None) -> Prover:
    """What proves faults on a stack's cluster; raises PodpathError when no cluster answers."""
    cluster = cluster or cluster_of(profile)
    labs = frozenset(str(lab["namespace"]) for lab in cluster.outputs.get("labs", {}).values())
    confined = None if profile.terms is None else labs
    injector = Injector(cluster.api, cluster.execute, repairs_of(profile, cluster.api), confined)
    return Prover(cluster, injector, every_probe(profile.dual), journal_of(profile), say)


@contextmanager
def watched(profile: Profile) -> Iterator[None]:
    """While the block runs, a process of its own session waits for this one's end, to undo what it left."""
    undo = [str(ROOT / "scripts" / "faults"), profile.stack, "--undo"]
    watch = [sys.executable, "-m", "scripts.transport.watchdog", str(os.getpid()), *undo]
    pid = start_daemon(watch, profile.folder / "faults.log", {"PYTHONPATH": str(ROOT)})
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def baseline(prover: Prover, wanted: Mapping[str, Fault]) -> str:
    """Which probe that the faults need is red before any of them, or an empty text."""
    ids = {probe.id for fault in wanted.values() for _, probe in asked(fault, prover.every)}
    probes = [(lab, probe) for lab, probe in prover.every if probe.id in ids]
    view = prover.settled({lab for lab, _ in probes})
    judged, _ = prover.run(probes, view)
    return "; ".join(f"{one.id} {one.failure}: {one.why}" for one in judged if one.verdict in RED)
