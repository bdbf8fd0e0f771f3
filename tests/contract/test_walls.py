"""The import walls stand, and each of them can be seen to fall."""

from __future__ import annotations

import pytest

from scripts.paths import ROOT
from tests.contract.walls import CHECKS, PROBES, READERS, WALLS, Wall, breaches, guarded, imported

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
EACH_FORM = pytest.mark.parametrize("form", FORMS)


@EACH_WALL
def test_wall_stands(wall: Wall) -> None:
    files = guarded(wall, ROOT)
    assert len(files) >= 2, f"{wall.files} guard almost nothing"
    broken = {str(path.relative_to(ROOT)): breaches(wall, path.read_text()) for path in files}
    assert {path: said for path, said in broken.items() if said} == {}, wall.because


@EACH_WALL
@EACH_FORM
def test_wall_falls_to_every_form_of_import(wall: Wall, form: str) -> None:
    for package in wall.forbidden:
        assert any(f"imports {package}" in said for said in breaches(wall, form.format(package)))


@EACH_WALL
@EACH_FORM
def test_wall_has_a_door_for_what_it_allows(wall: Wall, form: str) -> None:
    for package in wall.allowed:
        assert breaches(wall, form.format(package)) == [], package


@EACH_WALL
def test_wall_lets_a_clean_file_pass(wall: Wall) -> None:
    assert (
        breaches(wall, '"""Speaks of pulumi and kubernetes."""\nimport pulumix\nfrom os import path\n') == []
    )


def test_relative_imports_cannot_slip_through() -> None:
    assert breaches(WALLS[0], "from . import kubernetes") == ["line 1 imports relatively, which hides what"]


def test_a_package_imported_by_its_parent_is_seen() -> None:
    assert "labs.lab" in imported("from labs import lab")


@pytest.mark.parametrize(
    ("wall", "source", "said"),
    [
        (CHECKS, "from scripts.evidence.capture import capturing", "scripts.evidence.capture.capturing"),
        (CHECKS, "from scripts.evidence import capture", "scripts.evidence.capture"),
        (
            CHECKS,
            "from scripts.transport.podexec import exec_in_pod",
            "scripts.transport.podexec.exec_in_pod",
        ),
        (CHECKS, "from scripts.transport import docker", "scripts.transport.docker"),
        (CHECKS, "from scripts.suite.plan import key_of", "scripts.suite.plan.key_of"),
        (CHECKS, "from scripts import evidence, suite", "scripts.suite"),
        (READERS, "from scripts.checks import verdict", "scripts.checks.verdict"),
        (READERS, "from scripts.transport import rest", "scripts.transport.rest"),
        (READERS, "from subprocess import run", "subprocess.run"),
    ],
)
def test_a_wall_with_a_door_is_closed_beside_it(wall: Wall, source: str, said: str) -> None:
    assert breaches(wall, source) == [f"line 1 imports {said}"]


def test_labs_are_behind_their_walls() -> None:
    names = {str(path.relative_to(ROOT)) for path in guarded(PROBES, ROOT)}
    assert {"labs/__init__.py", "labs/claims.py", "labs/pod_to_service/probes.py"} <= names


def test_every_noun_that_probes_use_is_behind_the_wall() -> None:
    guards = {*guarded(PROBES, ROOT)}
    used = {name for path in guards for name in imported(path.read_text()) if name.startswith("labs.")}
    modules = {ROOT / f"{name.replace('.', '/')}.py" for name in used}
    modules |= {ROOT / f"{name.rpartition('.')[0].replace('.', '/')}.py" for name in used}
    assert {path for path in modules if path.is_file()} <= guards


def test_every_folder_of_scripts_has_a_wall_of_its_own() -> None:
    """A folder that is new says here what is below it; only commands may know all of the house."""
    walled = {path for wall in WALLS if "scripts" in wall.forbidden for path in guarded(wall, ROOT)}
    open_ = {path.parent for path in (ROOT / "scripts").rglob("*.py") if path not in walled}
    assert {str(path.relative_to(ROOT)) for path in open_} == {"scripts/cli"}


def test_what_makes_evidence_is_no_reader() -> None:
    assert ROOT / "scripts" / "evidence" / "capture.py" not in guarded(READERS, ROOT)
