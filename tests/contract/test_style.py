"""Names, keys and shells of the house, and that each kind of check is used; each rule can be seen to fall."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import pytest

from labs import LABS, probes_of
from scripts.checks.answers import Refused
from scripts.checks.base import Check, Probe
from scripts.checks.peers import Destination, Source
from scripts.checks.request import Expectation
from scripts.paths import ROOT
from tests.contract.style import blank_keys, strange_commands, unnamed

SOURCES = sorted([*(ROOT / "scripts").rglob("*.py"), *(ROOT / "labs").rglob("*.py")])
ENGINE = [
    path for path in SOURCES if path.parent in (ROOT / "scripts" / "checks", ROOT / "scripts" / "suite")
]
PROBES = [probe for lab in LABS for probe in probes_of(lab)]
T = TypeVar("T")


def names(probe: Probe) -> set[type]:
    """Every class of a check, an expectation or a peer that a probe is made of."""
    found: set[type] = set()
    left: list[object] = [probe.source, probe.check]
    while left:
        one = left.pop()
        if isinstance(one, tuple):
            left += one
        elif isinstance(one, Check | Expectation | Source | Destination):
            found.add(type(one))
            left += vars(one).values()
    return found


def concrete(kind: type[T]) -> set[type[T]]:
    """The classes below ``kind`` in scripts/checks that can be made."""
    for path in (ROOT / "scripts" / "checks").glob("[a-z]*.py"):
        import_module(f"scripts.checks.{path.stem}")
    below = [kind, *kind.__subclasses__()]
    for one in below[1:]:
        below += one.__subclasses__()
    ours = {one for one in below if one.__module__.startswith("scripts.checks.")}
    return {one for one in ours if not inspect.isabstract(one) and one is not kind}


def test_every_function_has_a_name() -> None:
    said = {str(path.relative_to(ROOT)): unnamed(path.read_text()) for path in SOURCES}
    assert {path: lines for path, lines in said.items() if lines} == {}


@pytest.mark.parametrize("form", ["def _(x): ...", "class A:\n    def _(self): ...", "async def _(): ..."])
def test_a_function_without_a_name_is_noticed(form: str) -> None:
    (said,) = unnamed(form)
    assert re.fullmatch(r"line \d defines a function called _", said)


def test_no_facts_travel_under_keys_with_a_blank() -> None:
    assert len(ENGINE) > 30
    said = {str(path.relative_to(ROOT)): blank_keys(path.read_text()) for path in ENGINE}
    assert {path: lines for path, lines in said.items() if lines} == {}


@pytest.mark.parametrize(
    "form",
    [
        "facts['answers before']",
        "facts['answers before'] = 1",
        "del facts['answers before']",
        "facts.get('answers before', 0)",
        "facts.pop('answers before')",
        "def f():\n    return facts.setdefault('answers before', {})",
    ],
)
def test_a_key_with_a_blank_is_noticed(form: str) -> None:
    assert [said.split(" ", 2)[2] for said in blank_keys(form)] == ["looks up 'answers before'"]


def test_a_key_of_one_word_and_a_text_beside_a_key_are_fine() -> None:
    assert blank_keys("a['one'] = 'two words'\nb.get('x', 'not given')\nc = {'any node': 1}\nd[x]") == []


def test_every_command_is_a_function_a_module_and_a_shell() -> None:
    assert strange_commands(ROOT / "scripts" / "cli", ROOT / "scripts") == []


def house(tmp_path: Path, shell: str, module: str, mode: int = 0o755) -> list[str]:
    """What is said of a house with one command ``work``."""
    (tmp_path / "work").write_text(shell)
    (tmp_path / "work").chmod(mode)
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "work.py").write_text(module)
    return strange_commands(tmp_path / "cli", tmp_path)


GOOD = '#!/bin/sh\nexec "$(dirname -- "$(readlink -f -- "$0")")/python" -m scripts.cli work "$@"\n'
WORK = "def work() -> int: ...\n"


@pytest.mark.parametrize(
    ("shell", "module", "mode", "said"),
    [
        (GOOD, WORK, 0o755, []),
        (GOOD.replace('" -m', '" --dev -m'), WORK, 0o755, []),
        (GOOD, "def other() -> int: ...\n", 0o755, ["work.py has no function work"]),
        (GOOD, WORK, 0o644, ["scripts/work is no program"]),
        (GOOD.replace("work", "up"), WORK, 0o755, ["scripts/work is another shell than the two lines"]),
        (GOOD + "echo\n", WORK, 0o755, ["scripts/work is another shell than the two lines"]),
        (GOOD.replace('"$@"', "$@"), WORK, 0o755, ["scripts/work is another shell than the two lines"]),
    ],
)
def test_a_strange_command_is_noticed(
    tmp_path: Path, shell: str, module: str, mode: int, said: list[str]
) -> None:
    assert house(tmp_path, shell, module, mode) == said


def test_a_shell_and_a_command_need_each_other(tmp_path: Path) -> None:
    house(tmp_path, GOOD, WORK)
    (tmp_path / "work").rename(tmp_path / "play")
    assert strange_commands(tmp_path / "cli", tmp_path) == [
        "scripts/play has no command behind it",
        "there is no scripts/work",
    ]


@pytest.mark.parametrize(
    ("kind", "spared"), [(Check, set()), (Expectation, {Refused}), (Source, set()), (Destination, set())]
)
def test_every_kind_of_check_is_used_by_a_probe(kind: type, spared: set[type]) -> None:
    used = {name for probe in PROBES for name in names(probe)}
    assert len(concrete(kind)) > 5
    assert concrete(kind) - used == spared
