"""Faults, a file each: a small reversible damage, which probes must notice it, which Cause must be named.

A fault is a module of this folder with a ``FAULT``; its name is the file's. Nothing is registered.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from scripts.fault._base import Fault


@cache
def every_fault() -> dict[str, Fault]:
    """All faults by name, in the order of names."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    return {name: fault_of(name) for name in names}


def fault_of(name: str) -> Fault:
    """The fault of a file of this folder."""
    found: Fault = import_module(f"scripts.fault.{name}").FAULT
    return found
