"""The labs: one folder each, named here once, in the order of the article.

A lab's folder holds ``component.py`` (what is deployed), ``probes.py`` (what is claimed and asked)
and ``README.md`` (what it teaches). Adding a lab is adding its folder and one line to ``LABS``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.checks.base import Probe

LABS: tuple[str, ...] = (
    "container-to-container",
    "pod-to-pod",
    "pod-to-service",
    "egress",
    "ingress-l4",
    "ingress-l7",
    "pitfalls",
)


def module_of(lab: str) -> str:
    """The Python package of a lab: its name with underscores for dashes."""
    return f"labs.{lab.replace('-', '_')}"


def probes_of(lab: str) -> tuple[Probe, ...]:
    """The probes that a lab declares; needs neither Pulumi nor a cluster."""
    probes: tuple[Probe, ...] = import_module(f"{module_of(lab)}.probes").PROBES
    return probes


@cache
def every_probe(dual: bool = False) -> tuple[tuple[str, Probe], ...]:
    """All probes, each with its lab; their sentences tell the labs apart.

    ``dual``: for a cluster with IPv4 and IPv6, where what can be asked by both is asked by both.
    """
    from scripts.checks.alike import told_apart
    from scripts.checks.twins import with_twins

    every = tuple(told_apart((lab, probe) for lab in LABS for probe in probes_of(lab)))
    return tuple(with_twins(every)) if dual else every
