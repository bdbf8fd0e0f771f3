"""Installs packages from PyPI by pip, into a folder of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scripts.environment import downloading
from scripts.transport.process import run

SOCKS = Path(__file__).with_name("socks")
"""Lets pip use a SOCKS proxy: see socks.py there."""


def install(*what: str | Path, into: Path) -> None:
    """Installs packages without what they depend on, and compiles nothing of them; raises CommandFailed.

    A pip.conf of the user's that says where packages go does not count.
    """
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    place = ["--no-compile", "--prefix=", "--root=/", f"--target={into}"]
    variables = {**downloading(), "PYTHONPATH": os.fspath(SOCKS)}
    run([*argv, *place, *what], env=variables)
