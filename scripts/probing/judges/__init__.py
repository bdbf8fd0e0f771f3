"""How each expectation is judged. A new one registers its judge with ``judge``, in the module of its kind."""

from __future__ import annotations

from scripts.probing.judges import answers, chain, changes, kernel, system, traces
from scripts.probing.judges.base import judge

__all__ = ["answers", "chain", "changes", "judge", "kernel", "system", "traces"]
