"""Facts about the Docker Engine that answers, and which of them podpath cannot work with."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.build.engineplace import CHOOSE
from scripts.errors import PodpathError
from scripts.transport.docker import docker

OLDEST = 20
PROTECTED_SINCE = 28
"""From this major version on the engine drops direct routing to containers (moby 28.0.0's release notes)."""


@dataclass(frozen=True)
class EngineFacts:
    """What an engine reports about itself; ``firewall`` is empty if it does not report its backend.

    ``kernel`` is its host's, and ``name`` that host's name.
    """

    version: str
    rootless: bool = False
    containerd_store: bool = False
    firewall: str = ""
    program: str = "Docker Engine"
    kernel: str = ""
    name: str = ""

    @property
    def major(self) -> int:
        """The first number of the version; 0 where it has none."""
        found = re.match(r"\d+", self.version)
        return int(found[0]) if found else 0

    @property
    def protects_containers(self) -> bool:
        """Whether it knows, and so needs, the gateway mode ``nat-unprotected``."""
        return self.major >= PROTECTED_SINCE

    def strangeness(self) -> str:
        """Why it cannot be the one that podpath worked with here, as one sentence; empty where it can."""
        if self.program != "Docker Engine":
            return (
                f"what answers is {self.program} {self.version}, and podpath needs Docker Engine: {CHOOSE}."
            )
        if self.kernel not in ("", platform.release()):
            return (
                f"the Docker Engine that answers is on another machine or in a virtual one ({self.name}, "
                f"kernel {self.kernel}), and podpath needs one on this machine: {CHOOSE}."
            )
        return ""

    def obstacle(self) -> str:
        """Why podpath cannot work with it, as one sentence; empty where it can."""
        if strange := self.strangeness():
            return strange
        if self.rootless:
            return (
                "this Docker Engine is rootless, and podpath's nodes and fence need one that runs as root: "
                "choose it with `docker context use default`, or install Docker's system-wide engine."
            )
        if self.major < OLDEST:
            return f"Docker Engine {self.version} is older than {OLDEST}.10: install a newer one."
        return ""

    def particulars(self) -> list[str]:
        """What is special about it, each as a phrase."""
        said = []
        if self.protects_containers:
            said.append("closes direct routes to containers: podpath opens them within its own fence")
        if self.containerd_store:
            said.append("images in containerd's store")
        if self.firewall and self.firewall != "iptables":
            said.append(f"firewall backend {self.firewall}")
        return said


def facts_from(info: Mapping[str, Any], components: Sequence[Mapping[str, Any]] = ()) -> EngineFacts:
    """Reads the JSON of ``docker info``, and the components of ``docker version``."""
    named = [str(one.get("Name")) for one in components]
    status = {str(pair[0]): str(pair[1]) for pair in info.get("DriverStatus") or () if len(pair) == 2}
    return EngineFacts(
        version=str(info.get("ServerVersion") or ""),
        rootless=any("name=rootless" in str(option) for option in info.get("SecurityOptions") or ()),
        containerd_store=status.get("driver-type", "").startswith("io.containerd.snapshotter"),
        firewall=str((info.get("FirewallBackend") or {}).get("Driver") or ""),
        program="Podman" if "Podman Engine" in named else "Docker Engine",
        kernel=str(info.get("KernelVersion") or ""),
        name=str(info.get("Name") or ""),
    )


def engine_facts() -> EngineFacts:
    """The facts of the engine that answers; raises PodpathError where none does."""
    info = json.loads(docker("info", "--format", "{{json .}}"))
    components = json.loads(docker("version", "--format", "{{json .Server.Components}}"))
    return facts_from(info, components or ())


def check_engine() -> None:
    """Raises PodpathError, in one sentence, for an engine that podpath cannot work with."""
    if obstacle := engine_facts().obstacle():
        raise PodpathError(obstacle)
