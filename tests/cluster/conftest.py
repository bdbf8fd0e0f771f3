"""Real commands on a real cluster, run as a person types them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scripts.build.engine import ensure_engine
from scripts.paths import ROOT

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    ensure_engine()


@pytest.fixture(scope="session")
def scripts() -> Command:
    """Runs ``scripts/NAME ARGS``; its output is shown when a test fails."""

    def call(
        name: str, *args: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv = [str(ROOT / "scripts" / name), *map(str, args)]
        done = subprocess.run(argv, capture_output=True, text=True, env=dict(env) if env else None)
        print(
            f"$ scripts/{name} {' '.join(map(str, args))} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    return call
