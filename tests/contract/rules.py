"""What a lab's probes must keep among themselves, as sentences about what breaks it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass

from labs.claims import CLAIMS
from scripts.checks.base import Probe, runs_alone
from scripts.checks.hang import Hang


def faults(probes: Mapping[str, Iterable[Probe]]) -> list[str]:
    """Everything wrong with the probes of all labs (lab → probes); empty when they are fit to run."""
    every = [(lab, probe) for lab, declared in probes.items() for probe in declared]
    ids = Counter(probe.id for _, probe in every)
    said = [f"{name} is the id of {count} probes" for name, count in ids.items() if count > 1]
    for lab, probe in every:
        own = {each.id: each for each in probes[lab]}
        said += _faults_of(probe, own)
        said += [
            f"{probe.id} of {lab} speaks of lab {other}"
            for other in sorted(_labs(probe))
            if other not in probes
        ]
    return said


def _faults_of(probe: Probe, own: Mapping[str, Probe]) -> list[str]:
    said = []
    if probe.claim not in CLAIMS:
        said.append(f"{probe.id} judges {probe.claim}, which is no claim")
    if not re.fullmatch(rf"{re.escape(probe.claim)}(-[a-z0-9-]+)?", probe.id):
        said.append(f"{probe.id} does not start with its claim {probe.claim}")
    if not probe.check.expected:
        said.append(f"{probe.id} expects nothing")
    if negative(probe) and not probe.controls:
        said.append(f"{probe.id} is negative and has no positive control")
    for control in probe.controls:
        if control not in own:
            said.append(f"{probe.id} is controlled by {control}, which its lab does not have")
        elif negative(own[control]):
            said.append(f"{probe.id} is controlled by {control}, which is negative itself")
    said += [
        f"{probe.id} is controlled by {control}, which runs after it"
        for control in probe.controls
        if control in own and _place(own[control], own) > _place(probe, own)
    ]
    said += [
        f"{probe.id} rests on {other}, which its lab does not have"
        for other in probe.rests_on
        if other not in own
    ]
    said += [
        f"{probe.id} rests on {other}, which runs after it"
        for other in probe.rests_on
        if other in own and _place(own[other], own) >= _place(probe, own)
    ]
    if negative(probe) and not any(own[c].source == probe.source for c in probe.controls if c in own):
        said.append(f"{probe.id} has no control from its own source {probe.source}")
    return said


def _place(probe: Probe, own: Mapping[str, Probe]) -> int:
    """When a probe runs: all that change nothing at once, then the others one by one."""
    return 1 + [*own].index(probe.id) if runs_alone(probe.check) else 0


def negative(probe: Probe) -> bool:
    """Whether silence would satisfy the probe: then it needs a control that speaks.

    That no connection to a Pod that hangs fails is such a silence, too: the Pod may not have hung.
    """
    return probe.check.negative or (isinstance(probe.check, Hang) and probe.check.ready)


def _labs(value: object) -> set[str]:
    """Every lab that a probe's peers and its check name."""
    if isinstance(value, tuple):
        return {lab for each in value for lab in _labs(each)}
    if not is_dataclass(value):
        return set()
    lab = getattr(value, "lab", None)
    found = {lab} if isinstance(lab, str) else set()
    return found.union(*(_labs(getattr(value, field.name)) for field in fields(value)))
