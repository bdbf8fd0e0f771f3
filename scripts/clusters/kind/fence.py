"""The fence: no packet of a probe leaves the cluster's own networks.

On every node, forwarded traffic on its way out of the node's uplink is rejected while it still carries
a Service address, or a Pod address that belongs to no node: after kube-proxy's DNAT the address is a
Pod's, so real traffic never matches. A cluster of two families has such rules for each. On the engine's
host, nothing crosses from the stack's networks to others or back (``hostfence``). The cluster's DNS answers
NXDOMAIN for names outside the cluster instead of asking upstream.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network

from scripts.clusters.kind.hostfence import close_host, host_closed
from scripts.progress import step
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import Profile
from scripts.transport.docker import docker
from scripts.transport.process import run
from scripts.waiting import TIMEOUTS, eventually

CHAIN = "PODPATH-FENCE"
IPTABLES = {4: "iptables", 6: "ip6tables"}
REJECT = {
    4: "-j REJECT --reject-with icmp-admin-prohibited",
    6: "-j REJECT --reject-with icmp6-adm-prohibited",
}
"""By the family of addresses: the program, and its words for administratively prohibited."""
UPLINK = "eth0"
JUMP = f"-o {UPLINK} -j {CHAIN}"
COREFILE = """cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       ttl 30
    }
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


Rules = Mapping[int, Sequence[str]]
"""By the family of their addresses."""


def node_rules(pod_subnet: str, service_subnet: str, pod_ranges: Sequence[str]) -> list[str]:
    """The rules of one node's fence for one family, as ``iptables -S`` prints them."""
    reject = REJECT[ip_network(pod_subnet).version]
    rules = [f"-A {CHAIN} -d {service_subnet} {reject}"]
    rules += [f"-A {CHAIN} -d {pod_range} -j RETURN" for pod_range in pod_ranges]
    return [*rules, f"-A {CHAIN} -d {pod_subnet} {reject}"]


def program_of(rules: Sequence[str], jumps: bool) -> str:
    """``rules`` for iptables-restore(8) with --noflush; ``jumps``: FORWARD goes through them already."""
    jump = [] if jumps else [f"-I FORWARD 1 {JUMP}"]
    return "\n".join(["*filter", f":{CHAIN} - [0:0]", *rules, *jump, "COMMIT", ""])


def raise_fence(profile: Profile, nodes: list[str], agent_image: str) -> None:
    """Puts the fence on every node and on the engine's host, and takes outside names out of the DNS."""
    with ThreadPoolExecutor(2) as pool:
        host = pool.submit(close_host, profile, agent_image)
        dns = pool.submit(quiet_dns, profile)
        rules = _rules(profile, nodes)
        for node in nodes:
            _fence_node(node, rules)
        host.result()
        dns.result()


def mend_fence(profile: Profile, nodes: list[str], agent_image: str) -> None:
    """Puts back what something took away of the fence, on the host and on each node, and says so."""
    rules = _rules(profile, nodes)
    with ThreadPoolExecutor(len(nodes)) as pool:
        told = dict(zip(nodes, pool.map(lambda node: _told(node, rules), nodes), strict=True))
    wanted = {family: {*of, f"-A FORWARD {JUMP}"} for family, of in rules.items()}
    open_nodes = [node for node in nodes if told[node] != wanted]
    closed = host_closed(profile)
    if open_nodes or not closed:
        with step(f"mend the fence of {', '.join([*open_nodes, *['the host'] * (not closed)])}"):
            for node in open_nodes:
                _fence_node(node, rules)
            close_host(profile, agent_image)


def _rules(profile: Profile, nodes: list[str]) -> Rules:
    ranges = eventually(lambda: pod_ranges(profile, nodes), TIMEOUTS.follow, "every node's podCIDRs")
    services = profile.service_ranges
    return {
        family: node_rules(
            pods, services[family], [one for one in ranges if ip_network(one).version == family]
        )
        for family, pods in profile.pod_ranges.items()
    }


def _told(node: str, families: Iterable[int]) -> dict[int, set[str]]:
    """The rules of the fence that a node has, with the jump to them."""

    def told(family: int) -> set[str]:
        argv = ["docker", "exec", node, IPTABLES[family], "-w", "-S"]
        lines = run(argv, check=False).stdout.splitlines()
        return {rule for rule in lines if rule.startswith(f"-A {CHAIN} ") or rule == f"-A FORWARD {JUMP}"}

    return {family: told(family) for family in families}


def _fence_node(node: str, rules: Rules) -> None:
    told = _told(node, rules)
    for family, own in rules.items():
        program = program_of(own, jumps=f"-A FORWARD {JUMP}" in told[family])
        restore = [f"{IPTABLES[family]}-restore", "--noflush", "--wait"]
        docker("exec", "--interactive", node, *restore, stdin=program)


def pod_ranges(profile: Profile, nodes: list[str]) -> list[str] | None:
    """The Pod ranges (CIDR) of all of ``nodes``, sorted; None while the controller manager owes one.

    Its node IPAM controller gives them out after the nodes have registered.
    """
    answer = json.loads(kubectl(profile, "get", "nodes", "--output", "json"))
    ranges = {item["metadata"]["name"]: item["spec"].get("podCIDRs") or [] for item in answer["items"]}
    return sorted(one for node in nodes for one in ranges[node]) if all(map(ranges.get, nodes)) else None


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
