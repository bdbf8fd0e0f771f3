"""A connected laptop: nothing is compiled where a registry is in reach.

The registry is a mirror that the engine is given for a while. It holds what was assembled here under the
names that the projects use; a mirror is asked for Docker Hub's images alone, so the one of registry.k8s.io is
put into Docker as `docker load` would. kind, pulumi and kubectl are on a PATH that has neither Go nor a
compiler. The checkout is a copy, for which all that podpath makes is new.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

import labs
from scripts.build.engine import own_engine
from scripts.build.gobuild import build
from scripts.build.nodeimage import plain_image
from scripts.build.published import PUBLISHED
from scripts.build.registries import Registries
from scripts.build.toolset import (
    CLOUD_PROVIDER_IMAGE,
    CNI_FLANNEL_IMAGE,
    FLANNELD_IMAGE,
    KIND_NODE_TAG,
    group,
)
from scripts.build.workloads import BASES, build_all
from scripts.clusters.kind.balancer import ENVOY, envoy_image
from scripts.clusters.kind.nodes import nodes_of
from scripts.paths import ROOT
from scripts.stack.profile import profile_of
from scripts.transport.docker import docker, image_id, import_program
from scripts.waiting import eventually
from tests.cluster.registry import push_as, serve_registry

STACK, CLUSTER, RANGE = "laptop", "podpath-laptop", "198.18.5.0/24"
REGISTRY, PORT = "podpath-test-mirror", 5003
DAEMON = Path("/etc/docker/daemon.json")
COMPILERS = re.compile(r"(.*-)?(gcc|g\+\+|cc|c\+\+|c89|c99|cpp|clang|tcc|go|gofmt|mmdebstrap)(-[\d.]+)?")
LEFT_OUT = shutil.ignore_patterns(".git", ".podpath", ".venv", "__pycache__", ".*_cache", ".hypothesis")
PULLED = (KIND_NODE_TAG, FLANNELD_IMAGE, CNI_FLANNEL_IMAGE, ENVOY)
LABS = [lab for lab in labs.LABS if lab != "pitfalls"]
"""With a single worker, chance decides whether a Pod reaches itself through a Service of two Pods (K3-1)."""
PROGRAM = "podpath-test/program:published"
SECONDS = 60.0


@dataclass(frozen=True)
class Laptop:
    """The copy of the checkout, and the environment of its user."""

    checkout: Path
    variables: Mapping[str, str]

    @property
    def cache(self) -> Path:
        """Where its tools are kept."""
        return Path(self.variables["XDG_CACHE_HOME"]) / "podpath"

    def type(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the copy; its output is shown when the test fails."""
        argv = [str(self.checkout / "scripts" / words[0]), *words[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, env={**self.variables, **more})
        print(f"$ {' '.join(words)} → {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """It, with all that its registry has; everything is gone afterwards."""
    if DAEMON.exists() or own_engine() is None:
        pytest.skip("the engine is not podpath's own, so it is given no mirror")
    if there := [name for name in (*PULLED, CLOUD_PROVIDER_IMAGE) if image_id(name)]:
        pytest.skip(f"Docker has {there[0]} already")
    folder = tmp_path_factory.mktemp("laptop")
    images = build_all()
    before = _references()
    try:
        made = Laptop(_copy(folder / "checkout"), _variables(folder))
        _install_provider(made.cache)
        docker("rm", "--force", "--volumes", REGISTRY, check=False)
        serve_registry(REGISTRY, PORT, images["base"])
        with _unknown_envoy(images["base"]) as envoy:
            _publish(images["node-agent"], envoy)
            _publish_labs(made, images)
            with _mirror(f"http://127.0.0.1:{PORT}"):
                try:
                    yield made
                finally:
                    made.type("down", STACK)
    finally:
        docker("rm", "--force", "--volumes", REGISTRY, check=False)
        for new in _references() - before:
            docker("image", "rm", new, check=False)


def _references() -> set[str]:
    return {*docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()} - {"<none>:<none>"}


def _copy(checkout: Path) -> Path:
    """A checkout whose images and node image have tags of their own, with a stack that names a registry.

    It has one worker, as fits on a laptop.
    """
    shutil.copytree(ROOT, checkout, ignore=LEFT_OUT, symlinks=True)
    for file in ("labs/workloads/base/Dockerfile", "scripts/build/node/Dockerfile"):
        with (checkout / file).open("a") as dockerfile:
            dockerfile.write("# as the test of a connected laptop has it\n")
    kind = profile_of("kind")
    config = (ROOT / "stacks" / "kind.yaml").read_text()
    assert f"name: {kind.cluster}\n" in config
    config = config.replace(f"name: {kind.cluster}\n", f"name: {CLUSTER}\n")
    config = config.replace("  - role: worker\n", "", 1)  # inotify instances may be few beside another stack
    settings = (ROOT / "stacks" / "Pulumi.kind.yaml").read_text()
    settings = settings.replace(f"kind-{kind.cluster}", f"kind-{CLUSTER}").replace(kind.outside_range, RANGE)
    settings = settings.replace("config:\n", f"config:\n  podpath:registry: localhost:{PORT}/podpath\n", 1)
    (checkout / "stacks" / f"{STACK}.yaml").write_text(config)
    (checkout / "stacks" / f"Pulumi.{STACK}.yaml").write_text(settings)
    return checkout


def _variables(folder: Path) -> dict[str, str]:
    """PATH with all that this machine has but compilers, and with the user's own kind, pulumi and kubectl."""
    (bin := folder / "bin").mkdir()
    own = [*build(group("kind", "pulumi", "kubectl")).values()]
    found = [path for entry in os.get_exec_path() for path in sorted(Path(entry).glob("*"))]
    (bin / "python3").symlink_to(Path(sys.executable).resolve())
    for program in [*own, *found]:
        fits = not COMPILERS.fullmatch(program.name) and os.access(program, os.X_OK)
        if fits and not (bin / program.name).is_symlink():
            (bin / program.name).symlink_to(program)
    for name in ("home", "cache"):
        (folder / name).mkdir()
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("GO", "PYTHON"))}
    places = {"PATH": str(bin), "HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache")}
    return {**variables, **places}


def _install_provider(cache: Path) -> None:
    """Puts pulumi's provider where `pulumi plugin install` does; its server is out of reach."""
    name = f"resource-kubernetes-v{version('pulumi-kubernetes')}"
    (plugin := cache / "pulumi-home" / "plugins" / name).mkdir(parents=True)
    shutil.copy(build(group("provider"))["pulumi-resource-kubernetes"], plugin)


@contextmanager
def _unknown_envoy(base: str) -> Iterator[str]:
    """The Envoy image of this machine by its id, while podpath does not know it by name."""
    profile = profile_of("kind")
    envoy_image(profile, base, Registries(off=True))
    kept, name = f"{REGISTRY}/envoy:kept", f"{profile.balancer_images}/{ENVOY}"
    docker("tag", name if image_id(name) else ENVOY, kept)
    docker("image", "rm", name, check=False)
    try:
        yield kept
    finally:
        docker("tag", kept, name)
        docker("image", "rm", kept)


def _publish(agent: str, envoy: str) -> None:
    """Puts into the registry what projects publish, as it was made here."""
    push_as(plain_image(agent, Registries(off=True)), KIND_NODE_TAG, PORT)
    push_as(envoy, ENVOY, PORT)
    programs = build(group("network", "balancer"))
    for name, source in PUBLISHED.items():
        if source.image == CLOUD_PROVIDER_IMAGE:
            import_program(programs[name], source.image, source.path)
        elif source.image:
            import_program(programs[name], PROGRAM, source.path)
            push_as(PROGRAM, source.image, PORT)
            docker("image", "rm", PROGRAM)


def _publish_labs(laptop: Laptop, images: Mapping[str, str]) -> None:
    """`scripts/images push` for the copy, whose images are those of this checkout by other names."""
    debian = next(filter(image_id, BASES), BASES[0])
    ask = "import json, sys; from scripts.build.workloads import images; "
    ask += "print(json.dumps({name: image.tag for name, image in images(sys.argv[1]).items()}))"
    argv = [str(laptop.checkout / "scripts" / "python"), "-c", ask, debian]
    told = subprocess.run(argv, env=dict(laptop.variables), stdout=subprocess.PIPE, check=True).stdout
    names: dict[str, str] = json.loads(told)
    for name, tag in names.items():
        docker("tag", images[name], tag)
    assert laptop.type("images", "push", STACK).returncode == 0
    for tag in names.values():
        docker("image", "rm", tag)


@contextmanager
def _mirror(address: str) -> Iterator[None]:
    """The engine asks this mirror first; it reads its configuration anew, and nothing is restarted."""

    def told(mirrors: list[str]) -> None:
        DAEMON.write_text(json.dumps({"registry-mirrors": mirrors}))
        engine = own_engine()
        assert engine is not None
        os.kill(engine, signal.SIGHUP)
        wanted = [f"{one}/" for one in mirrors]
        eventually(lambda: _mirrors() == wanted, SECONDS, "dockerd to read its configuration anew")

    DAEMON.parent.mkdir(exist_ok=True)
    try:
        told([address])
        yield
    finally:
        told([])
        DAEMON.unlink()


def _mirrors() -> list[str]:
    return json.loads(docker("info", "--format", "{{json .RegistryConfig.Mirrors}}")) or []


def test_what_will_be_pulled_is_known_before_anything_is_done(laptop: Laptop) -> None:
    assert not [name for name in PULLED if image_id(name)]
    done = laptop.type("doctor", STACK, COLUMNS="300")
    assert done.returncode == 0
    for name in (KIND_NODE_TAG, FLANNELD_IMAGE, ENVOY, f"localhost:{PORT}/podpath/base:"):
        assert f"to be pulled from {name}" in done.stdout
    assert "to be built" not in done.stdout
    assert not [name for name in PULLED if image_id(name)], "doctor changes nothing"


def test_a_connected_laptop_compiles_nothing_and_comes_to_a_verdict(laptop: Laptop) -> None:
    assert not shutil.which("go", path=laptop.variables["PATH"])
    assert not shutil.which("gcc", path=laptop.variables["PATH"])
    done = laptop.type("up", STACK, "--labs", ",".join(LABS))
    assert done.returncode == 0, done.stderr
    assert "to be pulled: " in done.stderr and "to be built" not in done.stderr
    for name in PULLED:
        assert f"✓ pull {name}" in done.stderr and image_id(name)
    assert not [*laptop.cache.glob("go-*")], "Go was installed"
    shelves = {path.name.rpartition("-")[0] for path in (laptop.cache / "tools").iterdir()}
    assert shelves == {*PUBLISHED}
    again = laptop.type("up", STACK, "--labs", ",".join(LABS), "--no-probe")
    assert again.returncode == 0 and "pull" not in again.stderr


def test_all_of_it_goes_away(laptop: Laptop) -> None:
    assert nodes_of(CLUSTER)
    done = laptop.type("down", STACK)
    assert done.returncode == 0 and "Certified" in done.stdout and not nodes_of(CLUSTER)
