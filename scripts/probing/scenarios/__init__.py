"""Probes that take time or change the cluster. A new one registers with ``play``, in a module of its own."""

from __future__ import annotations

from scripts.probing.scenarios import endpoints, hang, labels, replace, sample
from scripts.probing.scenarios.stage import Stage, is_scenario, play, runs_alone

__all__ = ["Stage", "endpoints", "hang", "is_scenario", "labels", "play", "replace", "runs_alone", "sample"]
