"""Adds its lab to a probe's sentence where another lab uses the same names: there are three Pods frontend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace

from scripts.checks.base import Probe

OBJECTS = ("workload", "service", "ingress", "gateway", "pod", "spare")
"""The fields of peers and checks that name an object of a lab."""


def told_apart(probes: Iterable[tuple[str, Probe]]) -> list[tuple[str, Probe]]:
    """The probes (lab, probe) of all labs; one that names what another lab calls the same says its lab."""
    every = [(lab, probe, {*_names(probe)}) for lab, probe in probes]
    labs: dict[str, set[str]] = {}
    for _, _, names in every:
        for lab, name in names:
            labs.setdefault(name, set()).add(lab)
    return [
        (lab, replace(probe, within=lab) if any(len(labs[name]) > 1 for _, name in names) else probe)
        for lab, probe, names in every
    ]


def _names(value: object) -> Iterator[tuple[str, str]]:
    """Everything that a probe's parts name, each with its lab: workloads, Services, Ingresses."""
    if isinstance(value, tuple):
        for each in value:
            yield from _names(each)
    elif is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        if isinstance(lab := parts.get("lab"), str):
            yield from ((lab, parts[name]) for name in OBJECTS if isinstance(parts.get(name), str))
        yield from _names((*parts.values(),))
