"""The Docker Engine: used as it is where one answers, installed and started where we may.

Without systemd there is nobody to start dockerd, so it runs in a session of its own and outlives the
command that started it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scripts.errors import PodpathError
from scripts.paths import cache
from scripts.process import run, start_daemon, start_time
from scripts.progress import step
from scripts.waiting import TIMEOUTS, eventually

CAP_SYS_RESOURCE = 24  # linux/capability.h
RUNTIME = "podpath-runc"
PACKAGES = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap debian-archive-keyring", "iptables": "iptables"}


def ensure_engine() -> None:
    """Returns once a Docker Engine answers; raises PodpathError where none can be had."""
    trouble = refusal()
    if trouble is None:
        return
    if "permission denied" in trouble.lower():
        raise PodpathError(
            "Docker is here but refuses this user: add it to the group `docker`, or run this as root."
        )
    if os.environ.get("DOCKER_HOST"):
        raise PodpathError(
            f"no Docker Engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}: "
            "start it, or unset DOCKER_HOST."
        )
    if not may_install():
        raise PodpathError(
            "no Docker Engine answers: start Docker, "
            "or run this as root on Debian or Ubuntu to have it installed."
        )
    install(PACKAGES)
    with step("start dockerd"):
        _start()


def may_install() -> bool:
    """Whether packages can be installed here: we are root on Debian or Ubuntu."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists()


def refusal() -> str | None:
    """None when the Engine answers, else what the client said."""
    if shutil.which("docker") is None:
        return "the docker client is missing"
    done = run(["docker", "version", "--format", "{{.Server.Version}}"], check=False, timeout=20)
    return None if done.returncode == 0 and done.stdout.strip() else (done.stderr.strip() or "no answer")


def install(wanted: dict[str, str]) -> None:
    """Installs the Debian packages (separated by spaces) of the programs that are missing.

    Raises PodpathError where we are not root on Debian or Ubuntu.
    """
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    absent = [program for program in wanted if shutil.which(program, path=path) is None]
    if not absent:
        return
    missing = sorted({package for program in absent for package in wanted[program].split()})
    if not may_install():
        raise PodpathError(f"{', '.join(absent)} is missing: install it with your system's packages.")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"install {', '.join(missing)}"):
        if (
            run(
                ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
                env=quiet,
                check=False,
            ).returncode
            != 0
        ):
            run(["apt-get", "update", "-qq"], env=quiet)
            run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env=quiet)


def lacks_sys_resource(status: str) -> bool:
    """Whether the bounding set in the text of /proc/self/status lacks CAP_SYS_RESOURCE (proc(5))."""
    line = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return not int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1


def _start() -> None:
    logs = cache() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    argv = ["dockerd", "--host", "unix:///var/run/docker.sock"]
    if lacks_sys_resource(Path("/proc/self/status").read_text()):
        runtime = cache() / "oci-runtime"
        shutil.copy(Path(__file__).with_name("oci_runtime.py"), runtime)
        argv += ["--add-runtime", f"{RUNTIME}={runtime}", "--default-runtime", RUNTIME]
    log = logs / "dockerd.log"
    daemon = start_daemon(argv, log)

    def answers() -> bool:
        if start_time(daemon) is None:
            raise PodpathError(f"dockerd ended at once: read {log}.")
        return refusal() is None

    eventually(answers, TIMEOUTS.engine, "dockerd to answer")
