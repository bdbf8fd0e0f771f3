"""Programs that are published in images or Debian packages, taken out of them instead of being built.

Programs that belong together come the same way: built before, taken before, taken now or built now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.build.contenthash import folder_hash, text_hash
from scripts.build.gobuild import build, half_made, held, missing
from scripts.build.registries import Registries
from scripts.build.toolset import CLOUD_PROVIDER_IMAGE, CNI_FLANNEL_IMAGE, FLANNELD_IMAGE, Tool
from scripts.build.workloads import builder
from scripts.environment import build_arguments
from scripts.paths import cache
from scripts.progress import step
from scripts.transport.docker import copy_from, image_id
from scripts.transport.process import run

PACKAGED = Path(__file__).with_name("packaged")
"""How Debian's packages are added to our base image."""


@dataclass(frozen=True)
class Published:
    """Where a program is: its path in an ``image``, or in our base image with a Debian ``package``."""

    path: str
    image: str = ""
    package: str = ""
    megabytes: int = 0


PUBLISHED = {
    "cloud-provider-kind": Published("/bin/cloud-provider-kind", CLOUD_PROVIDER_IMAGE, megabytes=80),
    "flannel": Published("/opt/bin/flanneld", FLANNELD_IMAGE, megabytes=35),
    "cni-flannel": Published("/flannel", CNI_FLANNEL_IMAGE, megabytes=5),
    "cni-bridge": Published("/usr/lib/cni/bridge", package="containernetworking-plugins", megabytes=10),
}
"""By the name of the tool. The CNI plugin `bridge` is neither in kind's node image nor in one of its own."""


def obtain(tools: Sequence[Tool], registries: Registries, base: str = "") -> dict[str, Path]:
    """Program name → path. ``base`` is our base image, which has to be given for what Debian packages.

    Raises PodpathError where they can neither be pulled nor built.
    """
    return unbuilt(tools, registries, base) or build(tools)


def unbuilt(tools: Sequence[Tool], registries: Registries, base: str = "") -> dict[str, Path]:
    """The same, but none where they would have to be built now."""
    if there := standing(tools):
        return there
    if not pullable(tools, registries) or not all(map(registries.pulled, images_of(tools))):
        return {}
    return {tool.name: _take(tool, base) for tool in tools}


def pullable(tools: Sequence[Tool], registries: Registries) -> bool:
    """Whether all images of these programs are in reach."""
    registries.ask(images_of(tools))
    return all(map(registries.has, images_of(tools)))


def standing(tools: Sequence[Tool]) -> dict[str, Path]:
    """The programs where all of them are there already, one way or the other; else none."""
    if not missing(tools):
        return build(tools)
    taken = taken_paths(tools)
    return taken if all(path.exists() for path in taken.values()) else {}


def taken_paths(tools: Sequence[Tool]) -> dict[str, Path]:
    """Where programs are that were taken out of what is published."""
    return {tool.name: _path_of(tool) for tool in tools}


def images_of(tools: Sequence[Tool]) -> list[str]:
    """The images that have these programs."""
    return [PUBLISHED[tool.name].image for tool in tools if PUBLISHED[tool.name].image]


def _path_of(tool: Tool) -> Path:
    source = PUBLISHED[tool.name]
    key = text_hash(source.image, source.package, source.path)
    return cache() / "tools" / f"{tool.name}-{key}" / tool.name


def _take(tool: Tool, base: str) -> Path:
    """Copies the program out of its image, unless it was; an interrupt leaves nothing half-copied."""
    source, target = PUBLISHED[tool.name], _path_of(tool)
    target.parent.mkdir(parents=True, exist_ok=True)
    with held(target, tool.name):
        if target.exists():
            return target
        with half_made(target) as folder:
            copy_from(source.image or with_package(source.package, base), source.path, folder / tool.name)
            (folder / tool.name).chmod(0o755)
            (folder / tool.name).rename(target)
    return target


def with_package(package: str, base: str) -> str:
    """The tag of one of our images, ``base``, with a Debian package."""
    tag = f"podpath/{package}:{folder_hash(PACKAGED, package, base)}"
    if not image_id(tag):
        words = [f"BASE={base}", f"PACKAGE={package}"]
        arguments = [word for pair in words for word in ("--build-arg", pair)]
        argv = ["build", "--quiet", "--network", "host", *build_arguments(), *arguments, "--tag", tag]
        with step(f"Debian's {package}"):
            run(["docker", *argv, PACKAGED], env=builder())
    return tag
