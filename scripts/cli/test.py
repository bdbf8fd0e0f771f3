"""`scripts/test`: the whole test suite; `--unit` needs no Docker and takes about half a minute.

`--lessons` runs what the lessons show on the stack that is up, and compares. `--record` renews the recorded
runs that the tests replay (tests/worlds/), with `--lessons` the lessons' outputs and pictures.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Annotated

import typer

from scripts.environment import downloading
from scripts.errors import EXIT_FAILED, EXIT_OK, UsageError
from scripts.paths import ROOT

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
)

UNIT = ("unit", "components", "contract", "worlds")
"""Folders of tests that need no Docker."""
SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses=4", "--dist=worksteal")
"""Unit tests run on all processors; cluster tests change one cluster, in their order."""
ENGINES = "tests/cluster/test_engines.py"
"""These tests replace the engine themselves."""


def test(
    unit: Annotated[bool, typer.Option("--unit", help="Run only the tests that need no Docker.")] = False,
    engine: Annotated[
        str,
        typer.Option(metavar="28", help="Run only the cluster tests, on a newer Debian's Docker Engine."),
    ] = "",
    lessons: Annotated[
        bool,
        typer.Option("--lessons", help="Run what the lessons show, on the stack kind, and compare."),
    ] = False,
    record: Annotated[
        bool,
        typer.Option("--record", help="Record the runs that tests replay anew, on the stacks that are up."),
    ] = False,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="With --record: the stacks or faults. With --lessons: the labs.",
        ),
    ] = None,
) -> int:
    """Checks style and types and runs the tests; the cluster tests bring the stack `kind` up and down."""
    if lessons:
        return _python("tests.lessons", *(["--record"] if record else []), *(names or ()))
    if record:
        return _python("tests.worlds.record", *(names or ()))
    if names:
        raise UsageError(f"{names[0]!r} is not expected here: names go with --record and --lessons.")
    if engine:
        return _on_engine(engine)
    failed = [check for check in CHECKS if not unit and _python(*check)]
    folders = [f"tests/{name}" for name in (*UNIT, *(() if unit else ("browser", "cluster")))]
    failed += [("pytest",)] * bool(_python("pytest", *(SIDE_BY_SIDE if unit else ()), *folders))
    for check in failed:
        print(f"FAILED: {' '.join(check)}", file=sys.stderr)
    return EXIT_FAILED if failed else EXIT_OK


def _on_engine(wanted: str) -> int:
    """The cluster tests on another engine; the one that was there is put back, whatever the outcome."""
    from scripts.build.debianengine import engine_of

    if not re.fullmatch(r"[1-9]\d*(\+containerd)?", wanted):
        raise UsageError(f"--engine takes a major version such as 28, or 28+containerd, not {wanted!r}.")
    with engine_of(wanted) as version:
        print(f"Docker Engine {version}")
        return EXIT_FAILED if _python("pytest", "tests/cluster", f"--ignore={ENGINES}") else EXIT_OK


def _python(*argv: str) -> int:
    variables = {**os.environ, **downloading()}
    return subprocess.run([sys.executable, "-m", *argv], cwd=ROOT, env=variables).returncode
