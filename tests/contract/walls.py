"""The walls of the house: which part may import what, read from the source and not by importing it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

PULUMI = frozenset({"pulumi", "pulumi_kubernetes"})
CLIENT = frozenset({"kubernetes"})


@dataclass(frozen=True)
class Wall:
    """Files (globs from the checkout) that must not import some packages, because ..."""

    files: tuple[str, ...]
    forbidden: frozenset[str]
    because: str


WALLS = (
    Wall(
        ("__main__.py", "labs/**/*.py"), CLIENT, "what is deployed is said to Pulumi, never to the API server"
    ),
    Wall(
        (
            "labs/__init__.py",
            "labs/*/__init__.py",
            "labs/*/probes.py",
            *(f"labs/{noun}.py" for noun in ("model", "claims", "peers", "asks", "expectations", "proofs")),
        ),
        PULUMI | CLIENT | {"labs.lab", "labs.target", "labs.containers", "labs.deploy", "labs.platform"},
        "probes are listed, drawn and checked with no cluster",
    ),
    Wall(("scripts/**/*.py",), PULUMI, "commands run the CLI, as a person does"),
    Wall(
        ("labs/**/*.py",),
        frozenset(
            {
                "scripts.probing",
                "scripts.evidence",
                "scripts.reporting",
                "scripts.commands",
                "scripts.cluster",
            }
        ),
        "data flows from the labs to the engine",
    ),
)


def imported(source: str) -> dict[str, int]:
    """Every module that a source imports, anywhere in it and in any form, with its line.

    ``import a.b`` counts as a and a.b; ``from a import b`` as a and a.b too, for b may be a module.
    """
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            names = [f"{start}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and _called(node) in {"import_module", "__import__"}:
            first = node.args[0]
            names = [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
        else:
            continue
        for name in names:
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:end]), node.lineno)
    return found


def breaches(wall: Wall, source: str) -> list[str]:
    """What in a source breaks a wall: ``line 3 imports kubernetes``."""
    found = imported(source)
    relative = [name for name in found if name.startswith(".") or name == ""]
    said = [f"line {found[name]} imports {name}" for name in sorted(wall.forbidden & {*found})]
    return said + [f"line {found[name]} imports relatively, which hides what" for name in relative[:1]]


def guarded(wall: Wall, root: Path) -> list[Path]:
    """The files behind a wall; a wall that guards nothing is a mistake."""
    files = sorted({path for pattern in wall.files for path in root.glob(pattern)})
    return [path for path in files if "/workloads/" not in path.as_posix()]


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
