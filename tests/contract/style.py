"""What the house's source must keep besides its walls, as sentences about what breaks it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = r'"\$\(dirname -- "\$\(readlink -f -- "\$0"\)"\)/python"'
"""Where scripts/python is, whatever link to a command was typed."""
SHELL = re.compile(rf'#!/bin/sh\nexec {HERE}( --dev)? -m scripts\.cli (\w+) "\$@"\n')
LOOKED_UP = {"get", "pop", "setdefault"}


def unnamed(source: str) -> list[str]:
    """The functions that are called ``_``, by their lines."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTIONS))
    return [f"line {node.lineno} defines a function called _" for node in functions if node.name == "_"]


def blank_keys(source: str) -> list[str]:
    """The texts with a blank by which something is looked up: a record's fields are attributes."""
    keys = (key for node in ast.walk(ast.parse(source)) for key in _keys(node))
    return [f"line {key.lineno} looks up {key.value!r}" for key in keys if " " in str(key.value)]


def strange_commands(folder: Path, scripts: Path) -> list[str]:
    """What is wrong with the commands of ``folder`` and their shells in ``scripts``."""
    modules = {path.stem: path for path in folder.glob("[a-z]*.py")}
    shells = {path.name: path for path in scripts.iterdir() if path.is_file() and not path.suffix}
    said = [f"scripts/{name} has no command behind it" for name in sorted({*shells} - {*modules, "python"})]
    for name, path in modules.items():
        functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, FUNCTIONS)}
        if name not in functions:
            said.append(f"{path.name} has no function {name}")
        if name not in shells:
            said.append(f"there is no scripts/{name}")
            continue
        shell = SHELL.fullmatch(shells[name].read_text())
        if shell is None or shell[2] != name:
            said.append(f"scripts/{name} is another shell than the two lines")
        if not shells[name].stat().st_mode & 0o111:
            said.append(f"scripts/{name} is no program")
    return said


FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def _keys(node: ast.AST) -> Iterator[ast.Constant]:
    if isinstance(node, ast.Subscript):
        key: ast.expr | None = node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        key = node.args[0] if node.args and node.func.attr in LOOKED_UP else None
    else:
        key = None
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key
