"""A feature of a cluster, with the reason for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """Something that probes need: whether this cluster has it, and how that is known."""

    name: str
    there: bool
    reason: str
