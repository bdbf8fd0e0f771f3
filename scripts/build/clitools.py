"""The command line tools that a stack needs: from PATH if their versions fit, else published or built.

A user's own pulumi comes with its own language host, and uses the Kubernetes provider of the SDK's version
if that can be downloaded. Otherwise the provider is built too: the newest that is published as a Go module.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from importlib.metadata import version as installed
from pathlib import Path

from scripts.build.gobuild import build, missing
from scripts.build.published import unbuilt
from scripts.build.registries import Registries
from scripts.build.toolset import KUBERNETES_VERSION, Group, group
from scripts.environment import downloading
from scripts.errors import PodpathError
from scripts.paths import STATE, cache
from scripts.progress import step
from scripts.transport.process import run

PATIENCE = 20.0
"""Seconds that a program may take to tell its version."""
DOWNLOAD_SECONDS = 300.0
"""The deadline for pulumi's download of its provider."""
Version = tuple[int, int, int]
USERS_OWN: tuple[Group, ...] = ("kind", "pulumi", "kubectl")
"""What the user's own programs on PATH can stand for."""


def cli_tools(registries: Registries | None = None) -> dict[str, Path]:
    """Program name → path, for use together on PATH; gets what neither PATH nor the cache has.

    cloud-provider-kind is pulled where ``registries`` have it. All else is built.
    """
    found = on_path()
    balancer = unbuilt(group("balancer"), registries or Registries())
    wanted = _groups(found) if balancer else [*_groups(found), "balancer"]
    return {**{path.name: path for path in found.values()}, **balancer, **build(group(*wanted))}


def deploying_tools() -> dict[str, Path]:
    """Those that a cluster needs which is there already: pulumi, its provider and kubectl."""
    found = {name: path for name, path in on_path().items() if name != "kind"}
    groups = [name for name in _groups(found) if name != "kind"]
    return {**{path.name: path for path in found.values()}, **build(group(*groups))}


def link_tools(programs: Iterable[Path], instead_of: Collection[str] | None = None) -> None:
    """Puts these programs into .podpath/bin, by links, instead of all that is there or of those named."""
    folder = STATE / "bin"
    folder.mkdir(exist_ok=True)
    wanted = {program.name: program for program in programs}
    for link in folder.iterdir():
        if link.name not in wanted and (instead_of is None or link.name in instead_of):
            link.unlink()
    for name, program in wanted.items():
        link = folder / name
        if not link.is_symlink() or link.readlink() != program:
            link.unlink(missing_ok=True)
            link.symlink_to(program)


def missing_deploying_tools() -> list[str]:
    """The names of those that would have to be built."""
    found = on_path()
    wanted: list[Group] = [name for name in ("pulumi", "kubectl") if name not in found]
    if not provider_there():
        wanted.append("provider")
    return [tool.name for tool in missing(group(*wanted))]


def on_path() -> dict[str, Path]:
    """Which of kind, pulumi and kubectl are on PATH in a version that fits."""
    ours = str(STATE / "bin")  # on PATH after `eval "$(scripts/env)"`: links to be made, no tools to find
    return {**_fitting(os.pathsep.join(entry for entry in os.get_exec_path() if entry != ours))}


@lru_cache
def _fitting(path: str) -> Mapping[str, Path]:
    """The same for one PATH; the programs are asked for their versions once."""
    questions = {
        "kind": (["version"], kind_fits),
        "pulumi": (["version"], pulumi_fits),
        "kubectl": (["version", "--client", "--output", "json"], kubectl_fits),
    }
    found = {}
    for name, (argv, fits) in questions.items():
        program = shutil.which(name, path=path)
        if program and fits(_said(program, *argv)):
            found[name] = Path(program)
    return found


def _said(*argv: str) -> str:
    """What a program prints; nothing where it cannot be run, such as another machine's, or hangs."""
    try:
        return run(argv, check=False, timeout=PATIENCE).stdout
    except PodpathError:
        return ""


def numbers(text: str) -> Version:
    """The first version in a text: ``kind v0.33.0 go1.26`` → (0, 33, 0); (0, 0, 0) when there is none."""
    match = re.search(r"v(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def kind_fits(said: str) -> bool:
    """kind of the pinned minor version: its default node image is of the pinned Kubernetes."""
    return numbers(said)[:2] == numbers(_pinned("kind"))[:2]


def pulumi_fits(said: str) -> bool:
    """pulumi not older than the pinned one, of the same major version."""
    return numbers(_pinned("pulumi")) <= numbers(said) < (numbers(_pinned("pulumi"))[0] + 1, 0, 0)


def kubectl_fits(said: str) -> bool:
    """kubectl within one minor version of the cluster (Kubernetes version skew policy)."""
    try:
        version = numbers(json.loads(said)["clientVersion"]["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return False
    cluster = numbers(KUBERNETES_VERSION)
    return version[0] == cluster[0] and abs(version[1] - cluster[1]) <= 1


def _pinned(name: Group) -> str:
    return group(name)[0].version


def _groups(found: dict[str, Path]) -> list[Group]:
    wanted: list[Group] = [name for name in USERS_OWN if name not in found]
    if "pulumi" not in found or not (provider_there() or _downloaded_provider(found["pulumi"])):
        wanted.append("provider")
    return wanted


def _pulumi_home() -> Path:
    return cache() / "pulumi-home"


def provider_there() -> bool:
    """Whether the official provider of the installed SDK's version was downloaded before."""
    return (_pulumi_home() / "plugins" / f"resource-kubernetes-v{installed('pulumi-kubernetes')}").is_dir()


def _downloaded_provider(pulumi: Path) -> bool:
    """Whether the official provider could be downloaded, or need not be: one is built already."""
    if not missing(group("provider")):
        return False
    argv = [str(pulumi), "plugin", "install", "resource", "kubernetes", installed("pulumi-kubernetes")]
    try:
        with step("download pulumi's Kubernetes provider"):
            run(argv, env={**downloading(), "PULUMI_HOME": str(_pulumi_home())}, timeout=DOWNLOAD_SECONDS)
    except PodpathError:
        return False
    return True
