"""The kind cluster of a stack: reused while it is whole, replaced when it is not, never someone else's.

A cluster is whole when each of its containers runs since it was made, at the address it was made with,
and the API server says it is ready. After a crash of the engine the containers come back by themselves
with other addresses and do not recover, so such a cluster is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from scripts.build.engine import lacks_sys_resource
from scripts.clusters.kind import fence
from scripts.clusters.kind.networks import check_ranges, check_traffic, ensure_network
from scripts.errors import PodpathError
from scripts.paths import ROOT, program
from scripts.progress import step
from scripts.stack.kindconfig import OURS
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import Profile
from scripts.transport.docker import docker, pipe_images
from scripts.transport.process import CommandFailed, run
from scripts.waiting import TIMEOUTS, eventually

LABEL = "io.x-k8s.kind.cluster"
MARKER = "/kind/podpath.json"
UNFIT = "node.kubernetes.io/"
"""How the taints begin that keep Pods off a node which is not ready."""
KEY = ("config", "view", "--minify", "--raw", "--output", "jsonpath={.users[0].user.client-key-data}")
"""Asks kubectl for the key that it would use; it has none where the kubeconfig is damaged."""
QUICK_CONTROLLERS = """\
kind: ClusterConfiguration
controllerManager:
  extraArgs:
    - {name: kube-api-qps, value: "400"}
    - {name: kube-api-burst, value: "800"}
"""
"""By default their client is throttled to 20 calls a second: deleting an empty namespace takes 5 s."""


@dataclass(frozen=True)
class Marker:
    """What podpath wrote into the control plane's container once the cluster was whole."""

    owner: str
    """The checkout that made the cluster."""
    nodes: dict[str, str]
    """Container name → "<start time> <address>"."""
    images: list[str]
    """The workload images its nodes hold."""


def nodes_of(cluster: str) -> dict[str, str]:
    """Container name → "<start time> <address>" of the cluster's nodes, running or not."""
    names = docker("ps", "--all", "--filter", f"label={LABEL}={cluster}", "--format", "{{.Names}}").split()
    if not names:
        return {}
    form = "{{.Name}} {{.State.StartedAt}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    # Unchecked: after an interrupt one of them may be on its way out; the others are told all the same.
    lines = docker("inspect", "--format", form, *names, check=False).splitlines()
    return {line.split(" ", 1)[0].lstrip("/"): line.split(" ", 1)[1] for line in sorted(lines)}


def control_plane(nodes: Mapping[str, str]) -> str:
    """The name of the control plane's container; empty where it was not made."""
    return next((name for name in nodes if name.endswith("-control-plane")), "")


def marker_of(nodes: Mapping[str, str]) -> Marker | None:
    """The marker of a cluster; readable while its container is stopped, too."""
    copied = run(["docker", "cp", f"{control_plane(nodes)}:{MARKER}", "-"], check=False)
    start = copied.stdout.find("{")
    if copied.returncode or start < 0:
        return None
    try:
        return Marker(**json.JSONDecoder().raw_decode(copied.stdout[start:])[0])
    except (ValueError, TypeError):
        return None


def ensure_cluster(
    profile: Profile,
    workloads: Mapping[str, str],
    image: Callable[[], str],
    meanwhile: Callable[[], object] = lambda: None,
) -> bool:
    """Sees to a whole cluster with the workloads' images on its nodes; True when it is a new one.

    ``image`` gives the node image's tag, and is asked only when nodes have to be made. ``meanwhile`` is
    called while a new cluster's fence is raised.

    Raises PodpathError when the name belongs to a cluster that podpath did not make, or that another
    checkout is using.
    """
    nodes = nodes_of(profile.cluster)
    whole = bool(nodes) and is_whole(profile, nodes)
    if nodes and not whole and _with_kubeconfig(profile, nodes):
        whole = is_whole(profile, nodes)
    if whole:
        _bring(profile, nodes, workloads)
        return False
    if nodes:
        refuse_strangers(profile, nodes)
        with step(f"replace cluster {profile.cluster}, which is not whole"):
            delete(profile)
    _create(profile, image(), workloads, meanwhile)
    return True


def _with_kubeconfig(profile: Profile, nodes: Mapping[str, str]) -> bool:
    """Whether this checkout's own cluster lacked a usable kubeconfig, which is written anew then."""
    marker = marker_of(nodes)
    if marker is None or marker.owner != str(ROOT) or kubectl(profile, *KEY, check=False).strip():
        return False
    profile.kubeconfig.unlink(missing_ok=True)
    argv = [program("kind"), "export", "kubeconfig", "--name", profile.cluster]
    done = run([*argv, "--kubeconfig", profile.kubeconfig], env=profile.kind_env, check=False)
    return done.returncode == 0


def is_whole(profile: Profile, nodes: Mapping[str, str]) -> bool:
    """Whether this checkout's cluster stands as it was made, and the checkout still has its files of it."""
    marker = marker_of(nodes)
    if (
        marker is None
        or marker.nodes != dict(nodes)
        or marker.owner != str(ROOT)
        or not all((profile.folder / name).exists() for name in ("kubeconfig", "cluster.json"))
    ):
        return False
    return kubectl(profile, "get", "--raw", "/readyz", check=False).strip() == "ok"


def refuse_strangers(profile: Profile, nodes: Mapping[str, str]) -> None:
    """Raises PodpathError for a cluster that podpath did not make, or that another checkout is using."""
    images = docker("inspect", "--format", "{{.Config.Image}}", *nodes, check=False).split()
    if not all(image.startswith("podpath/node:") for image in images):
        raise PodpathError(
            f"a kind cluster named {profile.cluster} exists that podpath did not make: "
            f"delete it (kind delete cluster --name {profile.cluster}) "
            f"or change `name` in stacks/{profile.stack}.yaml."
        )
    marker = marker_of(nodes)
    used = marker is not None and marker.nodes == dict(nodes) and _has_state(Path(marker.owner))
    if marker is not None and used and marker.owner != str(ROOT):
        raise PodpathError(
            f"the cluster {profile.cluster} is in use by the checkout {marker.owner}: "
            "run scripts/down there first."
        )


def _has_state(checkout: Path) -> bool:
    """Whether a checkout is there that keeps a stack's state; one that may not be looked at does."""
    try:
        return (checkout / ".podpath").is_dir()
    except OSError:
        return True


def kind_config(profile: Profile, status: str, cgroup_v2: bool) -> str:
    """The kind configuration (YAML) for this machine: with quick controllers, and what its kernel needs."""
    config = {key: value for key, value in profile.config.items() if key not in OURS}
    patches = [*config.get("kubeadmConfigPatches", []), QUICK_CONTROLLERS]
    if lacks_sys_resource(status):
        config["featureGates"] = {**config.get("featureGates", {}), "KubeletInUserNamespace": True}
    if not cgroup_v2:
        patches.append("kind: KubeletConfiguration\nfailCgroupV1: false\n")
    config["kubeadmConfigPatches"] = patches
    return str(yaml.safe_dump(config))


def _create(
    profile: Profile, image: str, workloads: Mapping[str, str], meanwhile: Callable[[], object]
) -> None:
    with step(f"create cluster {profile.cluster} (kind, {len(profile.config['nodes'])} nodes)"):
        also = ["--ipv6", "--subnet", profile.network_range] if profile.network_range else []
        check_ranges(profile, ensure_network(profile, profile.network, profile.bridge, *also))
        check_traffic(profile, workloads["nginx"])
        _run_kind(profile, image)
    nodes = nodes_of(profile.cluster)
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(meanwhile)
        with step("raise the fence"):
            fence.raise_fence(profile, list(nodes), workloads["node-agent"])
        beside.result()
    wait_for_nodes(profile)
    uid = kubectl(profile, "get", "namespace", "kube-system", "--output", "jsonpath={.metadata.uid}")
    (profile.folder / "cluster.json").write_text(json.dumps({"name": profile.cluster, "uid": uid}))
    _mark(nodes, list(workloads.values()))


def _run_kind(profile: Profile, image: str, again: int = 5) -> None:
    """``kind create cluster``; ``again`` where Docker was still making nodes for an interrupted one."""
    status, v2 = Path("/proc/self/status").read_text(), Path("/sys/fs/cgroup/cgroup.controllers").exists()
    log = profile.folder / "kind.log"
    log.unlink(missing_ok=True)
    profile.kubeconfig.touch(mode=0o600)
    argv = [
        program("kind"),
        "create",
        "cluster",
        "--name",
        profile.cluster,
        "--config",
        "-",
        "--image",
        image,
    ]
    try:
        run(
            [*argv, "--kubeconfig", profile.kubeconfig],
            env=profile.kind_env,
            cwd=ROOT,
            stdin=kind_config(profile, status, v2),
            log=log,
            timeout=TIMEOUTS.node,
        )
    except CommandFailed as failed:
        if again and "already exist" in failed.output:
            if late := nodes_of(profile.cluster):
                refuse_strangers(profile, late)
                delete(profile)
            _run_kind(profile, image, again - 1)
            return
        why = _reason(failed.output)
        raise PodpathError(f"kind could not create the cluster ({why}): read {log}.") from failed


def _reason(output: str) -> str:
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    return errors[-1].removeprefix("ERROR: ").rstrip(".") if errors else "no error line"


def _mark(nodes: dict[str, str], images: list[str]) -> None:
    text = json.dumps(asdict(Marker(str(ROOT), nodes, sorted(images))))
    docker("exec", "--interactive", control_plane(nodes), "cp", "/dev/stdin", MARKER, stdin=text)


def _bring(profile: Profile, nodes: dict[str, str], workloads: Mapping[str, str]) -> None:
    """Brings images that the nodes lack, and mends the fence where it has a hole."""
    marker = marker_of(nodes)
    missing = sorted(set(workloads.values()) - set(marker.images if marker else []))
    if missing:
        with step(f"bring {len(missing)} changed images to the nodes"):
            for node in nodes:
                pipe_images(
                    missing,
                    [
                        "docker",
                        "exec",
                        "--interactive",
                        node,
                        "ctr",
                        "--namespace=k8s.io",
                        "images",
                        "import",
                        "-",
                    ],
                )
        _mark(nodes, list(workloads.values()))
    fence.mend_fence(profile, list(nodes), workloads["node-agent"])


def wait_for_nodes(profile: Profile) -> None:
    """Returns once every node takes Pods: the first one alone would get all replicas of a Deployment."""
    argv = ["get", "nodes", "--output", "jsonpath={.items[*].spec.taints[*].key}"]

    def ready() -> bool:
        return not any(key.startswith(UNFIT) for key in kubectl(profile, *argv).split())

    eventually(ready, TIMEOUTS.joining, "every node to take Pods")


def wait_for_dns(profile: Profile) -> None:
    """Returns once CoreDNS is available; raises PodpathError after its deadline."""
    argv = [
        "--namespace",
        "kube-system",
        "rollout",
        "status",
        "deployment/coredns",
        f"--timeout={TIMEOUTS.dns:.0f}s",
    ]
    kubectl(profile, "--request-timeout=0", *argv)


def delete(profile: Profile) -> None:
    """Deletes the stack's cluster; one that is not there is no error."""
    run(
        [
            program("kind"),
            "delete",
            "cluster",
            "--name",
            profile.cluster,
            "--kubeconfig",
            profile.kubeconfig,
        ]
    )
