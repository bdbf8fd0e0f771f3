"""A cluster that podpath did not make: ``python -m tests.cluster.othercluster up [WORKERS]`` and ``down``.

It comes from plain ``kind create cluster`` with a name, ranges, a domain and a Pod network of its own; nodes
pull from a registry on their network. Where kind's own node image cannot be pulled, each node gets what
kindnet would give it: veths that are routed (the CNI plugin ptp), a route to every other node's range, and a
masquerade rule. No packet leaves its network: a table on the host rejects what tries.

podpath is given a kubeconfig whose user has the role that ``scripts/rights`` prints, and no more.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import yaml

from scripts.build.engine import ensure_engine, lacks_sys_resource
from scripts.build.gobuild import build
from scripts.build.nodeimage import plain_image
from scripts.build.registries import Registries
from scripts.build.toolset import KIND_NODE_IMAGE, group
from scripts.build.workloads import build_all
from scripts.paths import ROOT, STATE, private_folder
from scripts.progress import step
from scripts.transport.docker import docker
from scripts.transport.process import run
from scripts.waiting import eventually
from tests.cluster.registry import serve_registry

NAME, CONTEXT, NETWORK, BRIDGE = "shop", "kind-shop", "shop", "shop-net"
PODS, SERVICES, DOMAIN = "10.100.0.0/16", "10.200.0.0/16", "shop.test"
REGISTRY, PORT = "shop-registry", 5001
TABLE = "shop-fence"
STACK = "kind-given"
SECONDS = 120.0
REGISTRIES = """\
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
"""
ANYWHERE = "0.0.0.0/0"


def up(workers: int = 2) -> Path:
    """Makes the cluster anew with its registry; returns the kubeconfig that podpath is given."""
    ensure_engine()
    images = build_all()
    down()
    folder = private_folder(STATE / "othercluster")
    with step("network and registry of the other cluster"):
        _network(images["node-agent"])
        serve_registry(REGISTRY, PORT, images["base"], "--network", NETWORK)
    with step(f"kind create cluster --name {NAME}"):
        image = plain_image(images["node-agent"], Registries())
        admin = folder / "admin"
        config = json.dumps(_config(workers, own_network=image != KIND_NODE_IMAGE))
        create = ["create", "cluster", "--name", NAME, "--image", image, "--config", "-"]
        _kind(*create, "--kubeconfig", str(admin), stdin=config)
    nodes = _kind("get", "nodes", "--name", NAME).split()
    with step("Pod network, and where the nodes pull from"):
        for node in nodes:
            hosts = f'[host."http://{REGISTRY}:5000"]\n'
            _put(node, f"/etc/containerd/certs.d/localhost:{PORT}/hosts.toml", hosts)
        if image != KIND_NODE_IMAGE:
            _pod_network(nodes)
    with step("the other cluster is ready"):
        kubectl("wait", "nodes", "--all", "--for=condition=Ready", f"--timeout={SECONDS:.0f}s")
        rollout = ["rollout", "status", "deployment/coredns", f"--timeout={SECONDS:.0f}s"]
        kubectl("--namespace", "kube-system", *rollout)
    return grant(3)


def down() -> None:
    """Takes everything away that ``up`` made; what is not there is no error."""
    _kind("delete", "cluster", "--name", NAME, "--kubeconfig", str(STATE / "othercluster" / "admin"))
    docker("rm", "--force", "--volumes", REGISTRY, check=False)
    if docker("network", "ls", "--quiet", "--filter", f"name=^{NETWORK}$"):
        docker("network", "rm", NETWORK)
        _nft(build_all()["node-agent"], f"add table inet {TABLE}\ndelete table inet {TABLE}\n")
    shutil.rmtree(STATE / "othercluster", ignore_errors=True)


def grant(tier: int, name: str = "kubeconfig") -> Path:
    """A kubeconfig whose user may do what ``scripts/rights --tier N`` asks for, and nothing else."""
    account = f"podpath-{tier}"
    rights = [sys.executable, "-m", "scripts.cli", "rights", "--tier", str(tier), STACK]
    asked = subprocess.run(rights, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kubectl("apply", "--filename", "-", stdin=asked)
    kubectl("--namespace", "default", "create", "serviceaccount", account, check=False)
    role = [f"--clusterrole=podpath-tier-{tier}", f"--serviceaccount=default:{account}"]
    kubectl("create", "clusterrolebinding", account, *role, check=False)
    token = kubectl("--namespace", "default", "create", "token", account, "--duration=24h").strip()
    loaded = yaml.safe_load((STATE / "othercluster" / "admin").read_text())
    loaded["users"] = [{"name": CONTEXT, "user": {"token": token}}]
    given = STATE / "othercluster" / name
    given.touch(mode=0o600)
    given.write_text(yaml.safe_dump(loaded))
    return given


def state_of(node: str) -> list[str]:
    """What podpath must not change on a node: rules, routes and links but those of Pods and Services."""
    rules = docker("exec", node, "sh", "-c", "iptables-save; ip route; ip -o link").splitlines()
    passing = re.compile(r"^#|^:|KUBE-S|veth|^\d+: eth0|^COMMIT|^\*")
    return [line for line in rules if not passing.search(line)]


@contextmanager
def gone(container: str) -> Iterator[None]:
    """A container that does not run while the block does."""
    docker("stop", "--time", "1", container)
    try:
        yield
    finally:
        docker("start", container)


def kubectl(*args: str, stdin: str | None = None, check: bool = True) -> str:
    """``kubectl`` as the cluster's administrator."""
    program = build(group("kubectl"))["kubectl"]
    argv = [str(program), f"--kubeconfig={STATE / 'othercluster' / 'admin'}", *args]
    return run(argv, stdin=stdin, check=check).stdout


def _kind(*args: str, stdin: str | None = None) -> str:
    env = {"KIND_EXPERIMENTAL_PROVIDER": "docker", "KIND_EXPERIMENTAL_DOCKER_NETWORK": NETWORK}
    return run([str(build(group("kind"))["kind"]), *args], env=env, stdin=stdin).stdout


def _config(workers: int, own_network: bool) -> dict[str, object]:
    """kind's configuration: what this machine's kernel needs, and ranges of its own."""
    v2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    small = lacks_sys_resource(Path("/proc/self/status").read_text())
    domain = f"kind: ClusterConfiguration\nnetworking:\n  dnsDomain: {DOMAIN}\n"
    old = "kind: KubeletConfiguration\nfailCgroupV1: false\n"
    networking = {"podSubnet": PODS, "serviceSubnet": SERVICES, "disableDefaultCNI": own_network}
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": networking,
        "nodes": [{"role": "control-plane"}, *[{"role": "worker"}] * workers],
        "featureGates": {"KubeletInUserNamespace": True} if small else {},
        "containerdConfigPatches": [REGISTRIES],
        "kubeadmConfigPatches": [domain, *([] if v2 else [old])],
    }


def _network(agent: str) -> None:
    """A Docker network that no packet leaves."""
    quiet = ["--opt", "com.docker.network.bridge.enable_ip_masquerade=false"]
    docker("network", "create", "--opt", f"com.docker.network.bridge.name={BRIDGE}", *quiet, NETWORK)
    rules = f"""add table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  chain forward {{
    type filter hook forward priority filter - 10; policy accept;
    iifname "{BRIDGE}" oifname != "{BRIDGE}" counter reject with icmpx admin-prohibited
    oifname "{BRIDGE}" iifname != "{BRIDGE}" counter reject with icmpx admin-prohibited
  }}
}}
"""
    _nft(agent, rules)


def _nft(agent: str, rules: str) -> None:
    rights = ["--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--user", "0"]
    docker("run", "--rm", "--interactive", *rights, "--entrypoint", "nft", agent, "-f", "-", stdin=rules)


def _pod_network(nodes: Iterable[str]) -> None:
    """What kindnet gives a node: routed veths, the other nodes' ranges, and a masquerade rule."""
    listed = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    ranges = {}
    for item in listed:
        name = item["metadata"]["name"]
        ip = next(a["address"] for a in item["status"]["addresses"] if a["type"] == "InternalIP")
        ranges[name] = (eventually(partial(_range, name), SECONDS, "a Pod range"), ip)
    for node in nodes:
        own, _ = ranges[node]
        _put(node, "/etc/cni/net.d/10-shop.conflist", json.dumps(_conflist(own)))
        for other, (pods, ip) in ranges.items():
            if other != node:
                docker("exec", node, "ip", "route", "replace", pods, "via", ip)
        masquerade = ["-s", PODS, "!", "-d", PODS, "-j", "MASQUERADE"]
        docker("exec", node, "iptables", "-t", "nat", "-A", "POSTROUTING", *masquerade)


def _range(node: str) -> str:
    return kubectl("get", "node", node, "--output", "jsonpath={.spec.podCIDR}")


def _conflist(pods: str) -> dict[str, object]:
    ipam = {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": ANYWHERE}]}
    return {
        "cniVersion": "0.3.1",
        "name": "shop",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": ipam, "mtu": 1500},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _put(node: str, path: str, text: str) -> None:
    docker("exec", node, "mkdir", "-p", path.rpartition("/")[0])
    docker("exec", "--interactive", node, "cp", "/dev/stdin", path, stdin=text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["up"]:
        print(up(int(sys.argv[2]) if len(sys.argv) > 2 else 2))
    elif sys.argv[1:] == ["down"]:
        down()
    else:
        sys.exit("type up [WORKERS] or down")
