"""Where the engine is that the Docker client on PATH speaks to, and whether podpath can work with it there.

Asked before anything is sent to the engine: a remote one may ask for a password, or take a minute to fail.
"""

from __future__ import annotations

import platform
import shutil

from scripts.errors import PodpathError
from scripts.transport.process import meaning, run

LOCAL = "unix://"
CHOOSE = "unset DOCKER_HOST and DOCKER_CONTEXT, or choose it with `docker context use default`"


def check_place() -> None:
    """Raises PodpathError, in one sentence, where podpath cannot work with the engine's place."""
    if trouble := system_trouble() or place_trouble():
        raise PodpathError(trouble)


def system_trouble(system: str = platform.system(), release: str = platform.release()) -> str:
    """Why podpath cannot work on this operating system, as one sentence; empty where it can."""
    if system != "Linux":
        named = {"Darwin": "macOS"}.get(system, system)
        return (
            f"podpath needs a Linux kernel beside its own programs, and this is {named}: "
            "run it in a virtual machine with Linux, such as one of Lima or Multipass."
        )
    if "microsoft" in release.lower() and "wsl2" not in release.lower() and release.startswith("4.4."):
        return "WSL 1 has no Linux kernel: type `wsl --set-version DISTRIBUTION 2` in Windows."
    return ""


def place_trouble() -> str:
    """Why podpath cannot work with the engine where it is, as one sentence; empty where it can.

    Without a client there is no engine anywhere: that is for others to tell.
    """
    if shutil.which("docker") is None:
        return ""
    asked = run(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], check=False)
    where = asked.stdout.strip()
    if asked.returncode or not where:
        said = meaning(asked.stderr).partition(": open ")[0].rstrip(".") or "no context"
        return _podmans_own() or f"docker cannot tell where its engine is ({said}): {CHOOSE}."
    if not where.startswith(LOCAL):
        return f"the Docker Engine is at {where}, and podpath needs one on this machine: {CHOOSE}."
    if "podman" in where:
        return f"what answers at {where} is Podman, and podpath needs Docker Engine: {CHOOSE}."
    return ""


def _podmans_own() -> str:
    """Whether the program `docker` is Podman's, which knows no contexts, as one sentence."""
    told = run(["docker", "--version"], check=False).stdout.strip()
    if "podman" not in told.lower():
        return ""
    return (
        f"the program `docker` on PATH is Podman's ({told}), and podpath needs Docker Engine: "
        "install it, and put its client first on PATH."
    )


def socket() -> str:
    """The path of the engine's socket on this machine; raises PodpathError for an engine elsewhere."""
    check_place()
    where = run(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]).stdout.strip()
    return where.removeprefix(LOCAL)
