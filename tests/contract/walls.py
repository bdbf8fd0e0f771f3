"""The walls of the house: which part may import what, read from the source and not by importing it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scripts.paths import ROOT

PULUMI = frozenset({"pulumi", "pulumi_kubernetes"})
CLIENT = frozenset({"kubernetes", "docker"})
HOUSE = frozenset({"scripts", "labs"})
IMPURE = PULUMI | CLIENT | {"subprocess", "socket"}
SHARED = ("ends", "environment", "errors", "locking", "paths", "progress", "tiers", "waiting")
"""Small modules at the top of scripts that every part above the pure ones may use."""


def scripts(*names: str) -> frozenset[str]:
    """Parts of scripts by their names."""
    return frozenset(f"scripts.{name}" for name in names)


COMMANDS = scripts(*(f"cli.{path.stem}" for path in (ROOT / "scripts" / "cli").glob("[a-z]*.py")))


@dataclass(frozen=True)
class Wall:
    """Files (globs from the checkout, ``but`` some) that must not import some packages, because ...

    Of a package and a part of it, one forbidden and the other ``allowed``, the longer name decides.
    """

    files: tuple[str, ...]
    forbidden: frozenset[str]
    because: str
    allowed: frozenset[str] = frozenset()
    but: tuple[str, ...] = ()


def floor(folder: str, because: str, *below: str, forbidden: Iterable[str] = ()) -> Wall:
    """The wall around a folder of scripts that may import itself and, of the house, only what is below."""
    return Wall(
        (f"scripts/{folder}/**/*.py",),
        HOUSE | PULUMI | frozenset(forbidden),
        because,
        scripts(folder, *below),
    )


PROBES = Wall(
    ("labs/__init__.py", "labs/claims.py", "labs/*/__init__.py", "labs/*/probes.py"),
    IMPURE | {"labs.lab", "labs.target", "labs.containers", "labs.deploy", "labs.platform"},
    "probes are listed, drawn and checked with no cluster",
)
READERS = Wall(
    ("scripts/evidence/*.py",),
    HOUSE | IMPURE,
    "readers are pure: text in, records out",
    scripts("evidence", "transport.executor", "transport.frames", "ends", "errors", "tiers", "waiting"),
    but=("scripts/evidence/capture.py",),
)
CHECKS = Wall(
    ("scripts/checks/*.py",),
    HOUSE | IMPURE | scripts("evidence.capture"),
    "checks are pure: they can be listed, replayed and tested with no cluster",
    scripts("checks", "evidence", "ends", "errors", "tiers", "waiting")
    | scripts("transport.executor", "transport.frames", "transport.background", "transport.tokens"),
)
CAUSES = Wall(
    ("scripts/causes/*.py",),
    HOUSE | IMPURE | scripts("evidence.capture"),
    "causes are pure: they are tested by replay with no cluster",
    scripts("causes", "checks", "evidence", "ends", "transport.executor"),
)
WALLS = (
    Wall(("__main__.py", "labs/**/*.py"), CLIENT, "what is deployed is said to Pulumi, never to the API"),
    Wall(("labs/**/*.py",), frozenset({"scripts"}), "labs know checks and no engine", scripts("checks")),
    PROBES,
    CHECKS,
    CAUSES,
    READERS,
    Wall(("scripts/**/*.py",), PULUMI, "commands run the CLI, as a person does"),
    Wall(
        ("scripts/**/*.py",),
        CLIENT,
        "one folder speaks to the API server",
        but=("scripts/transport/*.py",),
    ),
    Wall(("scripts/*.py",), HOUSE, "what all may use uses nothing", scripts(*SHARED)),
    floor("transport", "transport knows no meaning", "errors", "waiting"),
    floor("evidence", "evidence knows no verdict", "transport", "ends", "errors", "tiers", "waiting"),
    floor("stack", "a stack knows no cluster", "transport", *SHARED),
    floor("build", "what is built knows no cluster", "transport", *SHARED),
    floor("clusters", "a cluster knows no suite", "stack", "build", "transport", "evidence", *SHARED),
    floor(
        "fault",
        "a fault is a declaration: it damages nothing by itself",
        *("checks.undo", "evidence", "transport.executor", "errors"),
        forbidden=IMPURE | scripts("evidence.capture"),
    ),
    floor(
        "runs",
        "a run is a document",
        *("checks.verdict", "evidence.identity", "transport.executor", "ends", "errors", "paths"),
    ),
    floor(
        "reporting",
        "a report renders a run and knows nothing else",
        "runs",
        "checks.verdict",
        "ends",
        "errors",
    ),
    floor(
        "suite",
        "a suite runs on any cluster and knows no command",
        *("causes", "checks", "fault", "runs", "clusters", "evidence", "transport"),
        *("ends", "errors", "tiers", "waiting"),
        forbidden=scripts("clusters.kind"),
    ),
    Wall(("scripts/cli/*.py",), COMMANDS, "a command knows no other command"),
)


@cache
def imported(source: str) -> dict[str, int]:
    """Every name that a source imports, anywhere in it and in any form, with its line.

    ``import a.b`` counts as a.b; ``from a import b`` as a.b too, for b may be a module.
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
            found.setdefault(name, node.lineno)
    return found


def breaches(wall: Wall, source: str) -> list[str]:
    """What in a source breaks a wall: ``line 3 imports kubernetes.client``."""
    found = imported(source)
    said = [f"line {line} imports {name}" for name, line in sorted(found.items()) if _falls(wall, name)]
    relative = [name for name in found if name.startswith(".") or name == ""]
    return said + [f"line {found[name]} imports relatively, which hides what" for name in relative[:1]]


def guarded(wall: Wall, root: Path) -> list[Path]:
    """The files behind a wall; a wall that guards nothing is a mistake."""
    files = {path for pattern in wall.files for path in root.glob(pattern)}
    spared = {path for pattern in wall.but for path in root.glob(pattern)}
    return [path for path in sorted(files - spared) if "/workloads/" not in path.as_posix()]


def _falls(wall: Wall, name: str) -> bool:
    """Whether the longest name of a package around ``name`` that the wall knows is a forbidden one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        package = ".".join(parts[:end])
        if package in wall.forbidden or package in wall.allowed:
            return package in wall.forbidden
    return False


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
