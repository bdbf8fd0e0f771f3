"""For tests: a Docker Engine from a newer Debian suite in place of the installed one, one at a time.

Packages are fetched into the user's cache folder and unpacked there, never installed. The engine keeps its
data there too, so the installed one's is not touched. podpath stops only an engine that it started itself.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.build.engine import ensure_engine, own_engine, refusal, start_engine
from scripts.environment import downloading
from scripts.errors import PodpathError
from scripts.paths import cache
from scripts.progress import step
from scripts.transport.docker import docker
from scripts.transport.process import CommandFailed, run, start_time
from scripts.waiting import TIMEOUTS, eventually

SUITES = ("trixie", "forky", "sid")
PACKAGES = ("docker.io", "docker-cli")
ARCHIVE = "http://deb.debian.org/debian"


class NotToBeHad(PodpathError):
    """No Debian suite that can be reached has an engine of that version."""


@dataclass(frozen=True)
class Suite:
    """One of Debian's suites with package lists of its own in the cache folder."""

    name: str

    @property
    def folder(self) -> Path:
        """The folder of its lists and packages."""
        return cache() / "engines" / self.name

    def update(self) -> None:
        """Fetches its package lists; raises CommandFailed if the archive cannot be reached."""
        for part in ("lists/partial", "archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "sources.list").write_text(f"deb {ARCHIVE} {self.name} main\n")
        self.apt("apt-get", "update", "-qq", "--error-on=any")

    def candidate(self) -> str:
        """The version of docker.io that it has; empty if it has none."""
        found = re.search(r"Candidate: (\S+)", self.apt("apt-cache", "policy", "docker.io"))
        return "" if found is None or found[1] == "(none)" else found[1]

    def apt(self, program: str, *args: str, cwd: Path | None = None) -> str:
        """Runs one of apt's programs on these lists alone."""
        own = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::Lists": self.folder / "lists",
            "Dir::Cache": self.folder,
            "Dir::Cache::archives": self.folder / "archives",
        }
        options = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
        return run([program, *options, *args], env=downloading(), cwd=cwd).stdout


def fetch(major: str) -> tuple[str, Path]:
    """The version and the unpacked folder of an engine of this major version; raises NotToBeHad."""
    for kept in sorted((cache() / "engines").glob(f"{major}.*/complete")):
        return kept.parent.name, kept.parent
    for suite in map(Suite, SUITES):
        try:
            suite.update()
            version = suite.candidate()
            if version.split(".")[0] == major:
                return version, _unpacked(suite, version)
        except CommandFailed as failed:
            raise NotToBeHad(f"Debian's suite {suite.name} cannot be reached ({failed}).") from failed
    raise NotToBeHad(f"none of Debian's suites {', '.join(SUITES)} has Docker Engine {major}.")


def _unpacked(suite: Suite, version: str) -> Path:
    folder = cache() / "engines" / version
    with step(f"fetch Docker Engine {version} from Debian's {suite.name}"):
        folder.mkdir(parents=True, exist_ok=True)
        suite.apt("apt-get", "download", "-qq", *(f"{name}/{suite.name}" for name in PACKAGES), cwd=folder)
        for package in sorted(folder.glob("*.deb")):
            run(["dpkg-deb", "--extract", package, folder])
            package.unlink()
    (folder / "complete").touch()
    return folder


@contextmanager
def engine_of(wanted: str) -> Iterator[str]:
    """Docker Engine ``wanted`` in place of ours while the block runs; gives its whole version.

    ``28`` is a major version, ``28+containerd`` the same with images in containerd's store.

    Raises NotToBeHad where it cannot be had, and PodpathError where an engine runs that podpath did not
    start, or if running containers would stop with it.
    """
    major, _, store = wanted.partition("+")
    version, folder = fetch(major)
    data = ["--data-root", os.fspath(folder / f"data{store and '-'}{store}")]
    settings = folder / f"daemon{store and '-'}{store}.json"  # version 26 has no option --feature
    settings.write_text(json.dumps({"features": {"containerd-snapshotter": bool(store)}}))
    ensure_engine()
    _end_own()
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder / 'usr/bin'}:{folder / 'usr/sbin'}:{before}"
    try:
        with step(f"start Docker Engine {version}"):
            start_engine(*data, "--config-file", os.fspath(settings))
        yield version
    finally:
        try:
            if own_engine() is not None:
                _end_own()
        finally:
            os.environ["PATH"] = before
            with step("put the installed Docker Engine back"):
                start_engine()


def _end_own() -> None:
    """Stops the engine that podpath started, and waits until it is gone."""
    own = own_engine()
    if own is None:
        raise PodpathError(
            "podpath did not start the Docker Engine that answers, so it does not replace it: "
            "stop it, or test on a machine without one."
        )
    if running := docker("ps", "--format", "{{.Names}}").split():
        raise PodpathError(
            f"running containers would stop with the Docker Engine ({', '.join(running[:3])}): "
            "run scripts/down, or stop them first."
        )
    os.kill(own, signal.SIGTERM)
    eventually(lambda: start_time(own) is None and refusal() is not None, TIMEOUTS.engine, "dockerd to exit")
