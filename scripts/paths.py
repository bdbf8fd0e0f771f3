"""Where things are: the checkout, its state and the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".podpath"
STACKS = ROOT / "stacks"
WORKLOADS = ROOT / "labs" / "workloads"


def cache() -> Path:
    """The user's cache folder for built tools and images (XDG Base Directory specification)."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative path counts for nothing
    return (base if base.is_absolute() else Path.home() / ".cache") / "podpath"


def program(name: str) -> str:
    """The path of a command line tool that ``scripts/up`` linked into .podpath/bin."""
    return str(STATE / "bin" / name)


def private_folder(path: Path) -> Path:
    """Makes a folder that only its owner may enter."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
