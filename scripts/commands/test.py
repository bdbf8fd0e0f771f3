"""`scripts/test`: the whole test suite; `--unit` needs no Docker and ends in seconds."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from scripts.commands.shell import start
from scripts.errors import EXIT_FAILED, EXIT_OK
from scripts.paths import ROOT

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
)


def test(
    unit: Annotated[bool, typer.Option("--unit", help="Only what needs no Docker: ends in seconds.")] = False,
) -> int:
    """Runs style, types and tests; the cluster tests bring the stack `kind` up and tear it down."""
    failed = [check for check in CHECKS if not unit and _python(*check)]
    folders = ["unit", "components", "contract", *([] if unit else ["cluster"])]
    failed += [("pytest",)] * bool(_python("pytest", *(f"tests/{folder}" for folder in folders)))
    for check in failed:
        print(f"FAILED: {' '.join(check)}", file=sys.stderr)
    return EXIT_FAILED if failed else EXIT_OK


def _python(*argv: str) -> int:
    return subprocess.run([sys.executable, "-m", *argv], cwd=ROOT).returncode


if __name__ == "__main__":
    start(test)
