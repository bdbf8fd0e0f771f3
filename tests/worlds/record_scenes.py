"""Records scenes on the running stack `kind`: what `scripts/test --record scenes [NAME]...` runs.

A name is a fault (scripts/fault), or two of them with a + in between, which then stand at once. The default
is every fault, and the pairs below. A fault that needs a NetworkPolicy engine is recorded by its name, on
the stack `kind-policy`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from scripts.causes.scene import Scene
from scripts.cli._breaking import prover_of, watched
from scripts.cli._restoring import restore_first
from scripts.clusters.base import cluster_of
from scripts.errors import PodpathError, UsageError
from scripts.fault import every_fault
from scripts.fault._base import Act, Fault, Site
from scripts.progress import say
from scripts.reporting.proof import wrong
from scripts.stack.lock import lock
from scripts.stack.profile import profile_of
from scripts.suite import causes
from tests.worlds.scene import TOGETHER, Recorded, save, told_in

STACK, ENFORCING = "kind", "kind-policy"
"""The stack that faults are applied to, and the one for those that need a NetworkPolicy engine."""
PAIRS = (
    "synack+nomasq",
    "synack+dns",
    "frozen+large",
    "veth_off+dead",
    "natflush+udp_dropped",
    "hairpin+port_closed",
    "loss+selector_empty",
    "dns_down+blackhole",
    "balancer_gone+forwarding_off",
    "foreign+egress_closed",
    "pod_not_ready+rejects",
    "wrong_backend+unkept",
)
"""Faults that stand at once: of one path and of two, of one node and of two, of rules and of objects."""


def main(wanted: Sequence[str]) -> None:
    """Records the scenes that are named. Raises PodpathError."""
    faults = every_fault()
    harmful = (name for name, one in faults.items() if not one.harmless and not one.enforced)
    names = wanted or [*harmful, *PAIRS]
    for name in names:
        if unknown := [one for one in name.split(TOGETHER) if one not in faults]:
            raise UsageError(f"{unknown[0]!r} is no fault: see scripts/faults --list.")
    enforced = {faults[one].enforced for name in names for one in name.split(TOGETHER)}
    if len(enforced) > 1:
        raise UsageError("faults that need a NetworkPolicy engine are recorded by themselves.")
    profile = profile_of(ENFORCING if enforced == {True} else STACK)
    with lock(profile.cluster, "scripts/probe"):
        restore_first(profile, sweep=True)
        prover = prover_of(profile, cluster_of(profile))
        with watched(profile):
            for name in names:
                begun, parts = time.monotonic(), name.split(TOGETHER)
                fault = faults[name] if len(parts) == 1 else _both(*(faults[one] for one in parts))
                with _seen() as scenes:
                    found = prover.prove(parts[0], fault)
                if found.problem or not scenes:
                    raise PodpathError(f"{name}: {found.problem or 'nothing was red'}")
                first, _ = told_in(scenes[0])
                path = save(Recorded(tuple(parts), tuple(one.kind for one in first), scenes[0]))
                kinds = ", ".join(one.kind for one in first) or "nothing named"
                size, took = path.stat().st_size >> 10, time.monotonic() - begun
                say(f"{path.name}: {size} KiB, {kinds} ({took:.0f} s)")
                for line in wrong(found) if len(parts) == 1 else ():
                    say(f"  {line}")


@contextmanager
def _seen() -> Iterator[list[Scene]]:
    """The scenes in which causes are looked for while the block runs."""
    scenes: list[Scene] = []
    real = causes.scene_of

    def heard(*given: Any) -> Scene:
        scenes.append(real(*given))
        return scenes[-1]

    with patch.object(causes, "scene_of", heard):
        yield scenes


def _both(one: Fault, other: Fault) -> Fault:
    """Two faults as one: the acts of both, and what either must and may turn red."""

    def acts(site: Site) -> Sequence[Act]:
        return [*one.acts(site), *other.acts(site)]

    felt = [of.felt for of in (one, other) if of.felt]
    return Fault(
        f"{one.what}, and {other.what}",
        acts,
        {**one.must, **other.must},
        one.cause,
        may=("*",),
        beside=(*one.beside, *other.beside),
        felt=(lambda view: all(of(view) for of in felt)) if felt else None,
        changes_rules=one.changes_rules or other.changes_rules,
        limit=min(one.limit, other.limit),
    )
