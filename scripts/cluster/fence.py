"""The fence: no packet of a probe leaves the cluster's own networks.

On every node, forwarded traffic on its way out of the node's uplink is rejected while it still carries
a Service address, or a Pod address that belongs to no node: after kube-proxy's DNAT the address is a
Pod's, so real traffic never matches. On the engine's host, nothing that enters from kind's bridge may
leave by another interface (Docker's DOCKER-USER chain). The cluster's DNS answers NXDOMAIN for names
outside the cluster instead of asking upstream.
"""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess

from scripts.cluster.docker import docker, network_of
from scripts.cluster.kubectl import kubectl
from scripts.cluster.profile import Profile
from scripts.process import run
from scripts.waiting import TIMEOUTS, eventually

CHAIN = "PODPATH-FENCE"
REJECT = "-j REJECT --reject-with icmp-admin-prohibited"
UPLINK = "eth0"
COREFILE = """cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       ttl 30
    }
    cache 30
    loadbalance
}
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    template ANY ANY . {
       rcode NXDOMAIN
    }
    prometheus :9153
}
"""
"""kubeadm's Corefile without ``forward``; in two blocks, for CoreDNS asks ``template`` first."""


def node_rules(pod_subnet: str, service_subnet: str, pod_ranges: list[str]) -> str:
    """The fence of one node in the format of iptables-restore(8), to be given with --noflush."""
    rules = [f"-A {CHAIN} -d {service_subnet} {REJECT}"]
    rules += [f"-A {CHAIN} -d {pod_range} -j RETURN" for pod_range in pod_ranges]
    rules += [f"-A {CHAIN} -d {pod_subnet} {REJECT}"]
    return "\n".join(
        ["*filter", f":{CHAIN} - [0:0]", *rules, f"-I FORWARD 1 -o {UPLINK} -j {CHAIN}", "COMMIT", ""]
    )


def raise_fence(profile: Profile, nodes: list[str], agent_image: str) -> None:
    """Puts the fence on every node and on the engine's host, and takes outside names out of the DNS."""
    with ThreadPoolExecutor(2) as pool:
        host = pool.submit(close_host, profile, profile.network, agent_image)
        dns = pool.submit(quiet_dns, profile)
        ranges = eventually(lambda: pod_ranges(profile, nodes), TIMEOUTS.follow, "every node's podCIDR")
        rules = node_rules(profile.pod_subnet, profile.service_subnet, ranges)
        for node in nodes:
            docker("exec", "--interactive", node, "iptables-restore", "--noflush", "--wait", stdin=rules)
        host.result()
        dns.result()


def pod_ranges(profile: Profile, nodes: list[str]) -> list[str] | None:
    """The Pod range (CIDR) of each of ``nodes``, sorted; None while the controller manager owes one.

    Its node IPAM controller gives them out after the nodes have registered.
    """
    answer = json.loads(kubectl(profile, "get", "nodes", "--output", "json"))
    ranges = {item["metadata"]["name"]: item["spec"].get("podCIDR", "") for item in answer["items"]}
    return sorted(ranges[node] for node in nodes) if all(ranges.get(node) for node in nodes) else None


def quiet_dns(profile: Profile) -> None:
    """Gives CoreDNS a Corefile that asks nobody outside, and Pods that have read it."""
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "data": {"Corefile": COREFILE},
    }
    kubectl(profile, "replace", "--filename", "-", stdin=json.dumps(config))
    dns = ["--namespace", "kube-system", "--selector", "k8s-app=kube-dns"]
    kubectl(profile, "delete", "pods", *dns, "--force", "--grace-period=0", "--wait=false")


def node_fenced(node: str) -> bool:
    """Whether the node still has its fence."""
    rule = ["FORWARD", "-o", UPLINK, "-j", CHAIN]
    return run(["docker", "exec", node, "iptables", "-w", "-C", *rule], check=False).returncode == 0


def close_host(profile: Profile, network: str, agent_image: str) -> None:
    """Rejects on the engine's host what would leave a Docker network of ours by another interface."""
    if not _host_rule(profile, network, agent_image, "-C"):
        _host_rule(profile, network, agent_image, "-I", check=True)


def open_host(profile: Profile) -> None:
    """Takes the host's part of the fence away: every rule with the stack's note, whatever bridge it names."""
    for rule in host_rules(profile):
        _on_host(_agent_image(), "-D", *shlex.split(rule)[1:])


def remove_network(profile: Profile) -> list[str]:
    """Removes the cluster's network once nothing hangs on it; names what was removed."""
    if not network_of(profile.network):
        return []
    docker("network", "rm", profile.network)
    return [f"network {profile.network} and its fence"]


def host_rules(profile: Profile) -> list[str]:
    """The rules of the stack's fence that the engine's host has; without our agent's image none was made."""
    agent_image = _agent_image()
    rules = _on_host(agent_image, "-S", "DOCKER-USER").stdout.splitlines() if agent_image else []
    return [rule for rule in rules if _note(profile) in rule]


def _agent_image() -> str:
    tags = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "podpath/node-agent").split()
    return tags[0] if tags else ""


def _note(profile: Profile) -> str:
    return f"podpath-fence:{profile.cluster}"


def _host_rule(profile: Profile, network: str, agent_image: str, action: str, check: bool = False) -> bool:
    form = '{{.Id}} {{with index .Options "com.docker.network.bridge.name"}}{{.}}{{end}}'
    id, _, named = docker("network", "inspect", "--format", form, network).partition(" ")
    bridge = named or f"br-{id[:12]}"
    note = ["-m", "comment", "--comment", _note(profile)]
    rule = ["DOCKER-USER", "-i", bridge, "!", "-o", bridge, *note, *REJECT.split()]
    return _on_host(agent_image, action, *rule, check=check).returncode == 0


def _on_host(agent_image: str, *args: str, check: bool = False) -> CompletedProcess[str]:
    """iptables in the host's network namespace, by a container: works wherever Docker does."""
    rights = ["--network", "host", "--cap-add", "NET_ADMIN", "--user", "0"]
    return run(
        ["docker", "run", "--rm", *rights, "--entrypoint", "iptables", agent_image, "-w", *args], check=check
    )
