"""The workloads' images: built once per content, on one Debian base.

An image's tag contains a hash of its folder and of the image it is built on, so an image that exists under
its tag is up to date by definition, and a changed base changes every tag.
"""

from __future__ import annotations

import io
import re
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.build.contenthash import files_of, folder_hash, text_hash
from scripts.build.registries import Registries
from scripts.environment import build_arguments, downloading
from scripts.errors import PodpathError
from scripts.paths import WORKLOADS, cache, private_folder
from scripts.progress import step
from scripts.transport.docker import docker
from scripts.transport.process import CommandFailed, run

BASE = "base"
DERIVED = ("client", "database", "datagram", "nginx", "node-agent", "rest", "webapp")

OFFICIAL = "debian:bookworm-slim"
PULLED = "podpath/debian:bookworm-slim"

BOOTSTRAP = (
    "--variant=apt",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--format=tar",
    "bookworm",
)
"""mmdebstrap's arguments for what the official slim image has. Without the merged-usr hook Debian
installs ``usrmerge``, and with it the whole of Perl: 49 MB more."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")

IMPORT = (
    "--change",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "--change",
    "CMD bash",
)
BOOTSTRAPPED = f"podpath/debian:bookworm-{text_hash(*BOOTSTRAP, *IMPORT)}"
BASES = (PULLED, BOOTSTRAPPED)
"""The Debian images on which the workloads' can be: the better one first."""


@dataclass(frozen=True)
class Image:
    """A workload's image as its sources define it: the tag to build and the parent image."""

    name: str
    tag: str
    parent: str


def images(debian: str, workloads: Path = WORKLOADS) -> dict[str, Image]:
    """Every workload's image on this Debian image, the base first. Does not call Docker."""
    base = _image(BASE, debian, workloads)
    return {BASE: base, **{name: _image(name, base.tag, workloads) for name in DERIVED}}


def _image(name: str, parent: str, workloads: Path) -> Image:
    return Image(name, f"podpath/{name}:{folder_hash(workloads / name, parent)}", parent)


def debian_image(registries: Registries) -> str:
    """The tag of a local Debian bookworm image: an existing one, else pulled, else bootstrapped.

    Raises PodpathError when neither a registry nor Debian's archive can be reached.
    """
    return _debian(_local_tags(), registries)


def standing() -> dict[str, str]:
    """Workload → image tag where all images are there already, else nothing; one call to Docker."""
    return _standing(_local_tags())


def build_all(registries: Registries | None = None, registry: str = "") -> dict[str, str]:
    """Makes what is missing and returns workload → image tag. If nothing is, that is one call to Docker.

    It is pulled from ``registry``, where `scripts/images push` has put it there, else built. Raises
    PodpathError with the last line of a failed build and the path of its log.
    """
    registries = registries or Registries()
    local = _local_tags()
    if there := _standing(local) or _brought(registries, registry):
        return there
    wanted = images(_debian(local, registries))
    missing = [image for image in wanted.values() if image.tag not in local]
    if missing:
        environment = builder()
        if missing[0].name == BASE:
            _build(missing.pop(0), environment)
        with ThreadPoolExecutor(max_workers=2) as pool:
            # The slowest first: it decides when all are done.
            missing.sort(key=lambda image: image.name != "webapp")
            list(pool.map(lambda image: _build(image, environment), missing))
    return {name: image.tag for name, image in wanted.items()}


def _local_tags() -> set[str]:
    listing = ["docker", "images", "--filter", "reference=podpath/*", "--format", "{{.Repository}}:{{.Tag}}"]
    return set(run(listing, timeout=30).stdout.split())


def _standing(local: set[str]) -> dict[str, str]:
    known = [debian for debian in BASES if debian in local]
    for wanted in map(images, known[:1] or BASES):
        tags = {name: image.tag for name, image in wanted.items()}
        if {*tags.values()} <= local:
            return tags
    return {}


def in_registry(registries: Registries, registry: str) -> dict[str, str]:
    """Workload → image tag as ``registry`` has them; nothing where it has them not, or is none."""
    if not registry:
        return {}
    remote = {debian: remote_name(images(debian)[BASE].tag, registry) for debian in BASES}
    registries.ask(remote.values())
    chosen = next((debian for debian, name in remote.items() if registries.has(name)), "")
    return {name: image.tag for name, image in images(chosen).items()} if chosen else {}


def _brought(registries: Registries, registry: str) -> dict[str, str]:
    """The same, pulled and under our own names; nothing where one of them cannot be pulled."""
    tags = in_registry(registries, registry)
    for tag in tags.values():
        remote = remote_name(tag, registry)
        if not registries.pulled(remote):
            return {}
        docker("tag", remote, tag)
        docker("image", "rm", remote, check=False)
    return tags


def remote_name(tag: str, registry: str) -> str:
    """The name of one of our images in a registry of the user's own."""
    return f"{registry}/{tag.removeprefix('podpath/')}"


def _debian(local: set[str], registries: Registries) -> str:
    if there := [tag for tag in BASES if tag in local]:
        return there[0]
    if registries.pulled(OFFICIAL):
        docker("tag", OFFICIAL, PULLED)
        return PULLED
    with step("Debian base image by mmdebstrap"):
        _bootstrap(BOOTSTRAPPED)
    return BOOTSTRAPPED


def _bootstrap(tag: str) -> None:
    log = _log("debian")
    with tempfile.TemporaryDirectory(dir=private_folder(cache()), prefix="debian-") as folder:
        archive = Path(folder) / "debian.tar"
        try:
            run(["mmdebstrap", *BOOTSTRAP, archive], log=log, env=downloading())
        except CommandFailed as error:
            raise _failure("Debian's base system could not be built", error, log) from error
        run(["docker", "import", *IMPORT, archive, tag])


def builder() -> dict[str, str]:
    """The environment for ``docker build``: BuildKit needs the plugin buildx, else the classic builder.

    Of buildx's builders, the engine's own: another one that the user chose would keep the image to itself.
    """
    if run(["docker", "buildx", "version"], check=False).returncode != 0:
        return {"DOCKER_BUILDKIT": "0"}
    return {"BUILDX_BUILDER": run(["docker", "context", "inspect", "--format", "{{.Name}}"]).stdout.strip()}


def _build(image: Image, environment: dict[str, str]) -> None:
    log = _log(f"workload-{image.name}")
    parent = f"{'DEBIAN' if image.name == BASE else 'BASE'}={image.parent}"
    build = [
        "docker",
        "build",
        "--network",
        "host",
        *build_arguments(),
        "--build-arg",
        parent,
        "--tag",
        image.tag,
        "--force-rm",
        "-",
    ]
    with step(f"image {image.tag}"):
        try:
            run(build, env=environment, stdin=context(WORKLOADS / image.name), log=log)
        except CommandFailed as error:
            raise _failure(f"the image of workload {image.name} could not be built", error, log) from error


def context(folder: Path) -> bytes:
    """A workload's folder as Docker's build context: owner root, no times, modes 0644 or 0755."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, executable, data in files_of(folder):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if executable else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _log(name: str) -> Path:
    """An empty log file for one build."""
    log = private_folder(cache() / "logs") / f"{name}.log"
    log.write_bytes(b"")
    return log


def _failure(what: str, error: CommandFailed, log: Path) -> PodpathError:
    """What the failed command itself said last: Docker's own last line only repeats the whole command."""
    lines = [COLOUR.sub("", line).strip() for line in error.output.splitlines() if line.strip()]
    own = [line for line in lines if line and not line.startswith(("The command '", "Removing intermediate"))]
    said = (own or lines or ["nothing was printed"])[-1].rstrip(".")
    return PodpathError(f"{what}: {said}; see {log}.")
