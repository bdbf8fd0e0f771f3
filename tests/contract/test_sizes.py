"""Sizes: the program fits on one screen, and no file is too long to read in one go."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripts.paths import ROOT

PROGRAM, FILE = 40, 400
SUFFIXES = {".py", ".sh", ".java", ".yaml", ".md", ".html", ".js", ".css"}
FOLDERS = ("labs", "scripts", "stacks", "tests", ".ci")


def sources(root: Path) -> list[Path]:
    """What people wrote: everything in the folders of the house, and at its top."""
    below = [path for folder in FOLDERS for path in (root / folder).rglob("*")]
    files = [path for path in [*root.iterdir(), *below] if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in files if path.suffix in SUFFIXES or not path.suffix]


def too_long(paths: Iterable[Path], limit: int) -> dict[str, int]:
    """The files of more than ``limit`` lines, with their number of lines."""
    lengths = {str(path): len(path.read_text(errors="replace").splitlines()) for path in paths}
    return {path: lines for path, lines in lengths.items() if lines > limit}


def test_the_program_fits_on_one_screen() -> None:
    assert too_long([ROOT / "__main__.py"], PROGRAM - 1) == {}


def test_no_file_is_too_long() -> None:
    paths = sources(ROOT)
    assert {ROOT / "labs" / "claims.py", ROOT / "scripts" / "checks" / "base.py"} <= {*paths}
    assert too_long(paths, FILE) == {}


def test_a_long_file_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "long.py").write_text("x = 1\n" * (FILE + 1))
    (tmp_path / "short.py").write_text("x = 1\n" * FILE)
    assert [*too_long(sources(tmp_path), FILE).values()] == [FILE + 1]
