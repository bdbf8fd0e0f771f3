"""The Docker Engine: used as it is if one answers, else installed and started if that is allowed.

Without systemd nothing else starts dockerd, so it runs in a session of its own and outlives the command
that started it.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from scripts.build.engineplace import check_place
from scripts.environment import downloading
from scripts.errors import PodpathError
from scripts.paths import cache
from scripts.progress import step
from scripts.transport.process import meaning, run, start_daemon, start_time
from scripts.waiting import TIMEOUTS, eventually

CAP_SYS_RESOURCE = 24  # linux/capability.h
RUNTIME = "podpath-runc"
PACKAGES = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap debian-archive-keyring", "iptables": "iptables"}


def ensure_engine() -> None:
    """Returns once a Docker Engine answers; raises PodpathError if there is no way to get one."""
    check_place()
    trouble = refusal()
    if trouble is None:
        return
    if "permission denied" in trouble.lower():
        raise PodpathError(
            "Docker refuses this user: add the user to the group `docker`, or run this as root."
        )
    if "client version" in trouble:  # an engine of 29 speaks to no client before 25
        raise PodpathError(
            f"Docker's client and engine do not fit ({meaning(trouble).rstrip('.')}): "
            "install a client of the engine's version."
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
        start_engine()


def may_install() -> bool:
    """Whether packages can be installed here: we are root on Debian or Ubuntu."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists()


def refusal() -> str | None:
    """None when the Engine answers, else what the client said."""
    if shutil.which("docker") is None:
        return "the docker client is missing"
    try:
        done = run(["docker", "version", "--format", "{{.Server.Version}}"], check=False, timeout=20)
    except PodpathError as error:
        return str(error)
    if done.returncode == 0 and done.stdout.strip():
        return None
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
    return "\n".join(said) or "no answer"


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
    quiet = {"DEBIAN_FRONTEND": "noninteractive", **downloading()}
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


def own_engine() -> int | None:
    """The process id of the dockerd that podpath started and that still runs; None for any other."""
    try:
        record = json.loads(_record().read_text())
        return int(record["pid"]) if start_time(int(record["pid"])) == record["started"] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _record() -> Path:
    return cache() / "dockerd.json"


def start_engine(*more: str) -> None:
    """Starts the dockerd on PATH, with ``more`` arguments, and returns once it answers.

    It pulls by the user's proxies; containers get none of them.
    """
    logs = cache() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    argv = ["dockerd", "--host", "unix:///var/run/docker.sock", *more]
    if lacks_sys_resource(Path("/proc/self/status").read_text()):
        runtime = cache() / "oci-runtime"
        shutil.copy(Path(__file__).with_name("oci_runtime.py"), runtime)
        argv += ["--add-runtime", f"{RUNTIME}={runtime}", "--default-runtime", RUNTIME]
    log = logs / "dockerd.log"
    daemon = start_daemon(argv, log, env=downloading())
    _record().write_text(json.dumps({"pid": daemon, "started": start_time(daemon)}))

    def answers() -> bool:
        if start_time(daemon) is None:
            raise PodpathError(f"dockerd exited right after its start: see {log}.")
        return refusal() is None

    eventually(answers, TIMEOUTS.engine, "dockerd to answer")
