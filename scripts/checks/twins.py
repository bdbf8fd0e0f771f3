"""The same probes by IPv6, for a cluster whose nodes, Pods and Services have an address of each family.

Kubernetes promises of each family what it promises of the other (KEP-563): so each probe that asks something
that has an address of both is asked by both, and its claim is proven of both or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from scripts.checks.base import Probe

SUFFIX = "-v6"
"""What the id of a probe by IPv6 ends with."""


def with_twins(every: Iterable[tuple[str, Probe]]) -> Iterator[tuple[str, Probe]]:
    """Each probe of a lab, followed by the same one by IPv6 if it can ask by either family.

    A control alone proves nothing, and has no twin.
    """
    every = [*every]
    both = {probe.id for _, probe in every if probe.carries and probe.source.dual and probe.check.dual}

    def named(ids: Iterable[str]) -> tuple[str, ...]:
        """The controls of a twin are twins, as far as there are such."""
        return tuple(f"{id}{SUFFIX}" if id in both else id for id in ids)

    for lab, probe in every:
        yield lab, probe
        if probe.id in both:
            controls, rests_on = named(probe.controls), named(probe.rests_on)
            id = f"{probe.id}{SUFFIX}"
            yield lab, replace(probe, id=id, controls=controls, rests_on=rests_on, family=6)
