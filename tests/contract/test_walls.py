"""The import walls stand, and each of them can be seen to fall."""

from __future__ import annotations

import pytest

from scripts.paths import ROOT
from tests.contract.walls import WALLS, Wall, breaches, guarded, imported

EACH_WALL = pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.because)
FORMS = (
    "import {0}",
    "import os, {0} as something",
    "def late():\n    import {0}",
    "import {0}.below.it",
    "from {0} import anything",
    "from {0}.below import anything",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {0}",
    "from importlib import import_module\nimport_module('{0}.below')",
    "__import__('{0}')",
)


@EACH_WALL
def test_wall_stands(wall: Wall) -> None:
    files = guarded(wall, ROOT)
    assert len(files) >= 2, f"{wall.files} guard almost nothing"
    broken = {str(path.relative_to(ROOT)): breaches(wall, path.read_text()) for path in files}
    assert {path: said for path, said in broken.items() if said} == {}, wall.because


@EACH_WALL
@pytest.mark.parametrize("form", FORMS)
def test_wall_falls_to_every_form_of_import(wall: Wall, form: str) -> None:
    for package in wall.forbidden:
        assert any(f"imports {package}" in said for said in breaches(wall, form.format(package)))


@EACH_WALL
def test_wall_lets_a_clean_file_pass(wall: Wall) -> None:
    assert (
        breaches(wall, '"""Speaks of pulumi and kubernetes."""\nimport pulumix\nfrom os import path\n') == []
    )


def test_relative_imports_cannot_slip_through() -> None:
    assert breaches(WALLS[0], "from . import kubernetes") == ["line 1 imports relatively, which hides what"]


def test_a_package_imported_by_its_parent_is_seen() -> None:
    assert "labs.lab" in imported("from labs import lab")


def test_labs_are_behind_their_walls() -> None:
    names = {str(path.relative_to(ROOT)) for path in guarded(WALLS[1], ROOT)}
    assert {"labs/model.py", "labs/proofs.py", "labs/pod_to_service/probes.py"} <= names


def test_every_noun_that_probes_use_is_behind_the_wall() -> None:
    guards = {path for path in guarded(WALLS[1], ROOT) if path.parent == ROOT / "labs"}
    used = {name for path in guards for name in imported(path.read_text()) if name.startswith("labs.")}
    modules = {ROOT / f"{name.replace('.', '/')}.py" for name in used}
    assert {path for path in modules if path.is_file()} <= guards
