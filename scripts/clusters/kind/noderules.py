"""Mends the rules that kube-proxy and flannel keep on each node, where something flushed a table.

kube-proxy writes its rules when something changes, and looks only now and then whether they are all there; a
Pod that starts writes them all. Docker's rules for the DNS of the node's container, which stand in the same
table, come first: without them the new Pod would not find the API server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from scripts.progress import say, step
from scripts.stack.profile import Profile
from scripts.transport.docker import docker
from scripts.transport.process import run
from scripts.transport.rest import Rest
from scripts.waiting import TIMEOUTS, Late, eventually

PODS = "/api/v1/namespaces/kube-system/pods"
FAMILIES = {4: ("iptables-save", "ip"), 6: ("ip6tables-save", "ip6")}
"""By the version of IP: what prints its rules, and nft's word for it."""
RESOLVER = "127.0.0.11"
"""Where Docker's DNS listens in each container."""
RESOLVER_RULES = (r"^-A DOCKER_OUTPUT ", r"^-A OUTPUT .*-j DOCKER_OUTPUT$")


@dataclass(frozen=True)
class Writer:
    """Who writes rules on each node: the Pods of a DaemonSet of kube-system, by their label.

    ``iptables`` are patterns by table: each is met by a rule as long as nothing has flushed it.
    """

    name: str
    selector: str
    iptables: Mapping[str, Sequence[str]]


PROXY = Writer(
    "kube-proxy",
    "k8s-app=kube-proxy",
    {
        "nat": (
            r"-A PREROUTING .*-j KUBE-SERVICES",
            r"-A OUTPUT .*-j KUBE-SERVICES",
            r"-A POSTROUTING .*-j KUBE-POSTROUTING",
            r"-A KUBE-SERVICES .*-j KUBE-SVC-.*",
            r"-A KUBE-POSTROUTING .*-j MASQUERADE.*",
            r"-A KUBE-MARK-MASQ .*",
        ),
        "filter": (r"-A FORWARD .*-j KUBE-FORWARD", r"-A KUBE-FORWARD .*"),
    },
)
TABLE_PROXY = Writer(PROXY.name, PROXY.selector, {})
FLANNEL = Writer(
    "flannel",
    "app=flannel",
    {
        "nat": (r"-A POSTROUTING .*-j FLANNEL-POSTRTG", r"-A FLANNEL-POSTRTG .*-j MASQUERADE.*"),
        "filter": (r"-A FORWARD .*-j FLANNEL-FWD", r"-A FLANNEL-FWD .*"),
    },
)
NFT_RULES = (r"hook prerouting.*\n\s*jump services", r"vmap @service-ips")
"""What kube-proxy's table holds as long as nothing has flushed it."""


def mend_rules(profile: Profile, nodes: Sequence[str], api: Rest) -> bool:
    """Has rules written again that are gone, a node after the other, and says so; whether there were any."""
    mode = str(profile.config["networking"].get("kubeProxyMode", "iptables"))
    families = (4, 6) if profile.dual else (4,)
    with ThreadPoolExecutor(len(nodes) or 1) as pool:
        gone = dict(zip(nodes, pool.map(lambda node: broken(node, mode, families), nodes), strict=True))
    for node, writers in gone.items():
        if writers:
            try:
                with step(f"mend the rules of {node}: {' and '.join(w.name for w in writers)}"):
                    _mend_node(node, mode, families, writers, api)
            except Late as late:
                say(f"  {late} scripts/up {profile.stack} --fresh makes a new cluster.")
    return any(gone.values())


def broken(node: str, mode: str, families: Sequence[int] = (4,)) -> list[Writer]:
    """Whose rules are gone from a node, kube-proxy first: the others find the API server by its rules."""
    gone = [writer for family in families for writer in _gone(node, mode, family)]
    return [writer for writer in (TABLE_PROXY, PROXY, FLANNEL) if writer in gone]


def _gone(node: str, mode: str, family: int) -> list[Writer]:
    """Whose rules of one family are gone."""
    program, word = FAMILIES[family]
    saved = run(["docker", "exec", node, program], check=False)
    if saved.returncode:
        return []  # nothing is known of it, and its probes will say so
    rules = by_table(saved.stdout)
    found = [writer for writer in (PROXY, FLANNEL) if mode == "iptables" or writer is FLANNEL]
    found = [writer for writer in found if incomplete(writer, rules)]
    if mode == "nftables":
        table = run(["docker", "exec", node, "nft", "list", "table", word, PROXY.name], check=False).stdout
        if not all(re.search(pattern, table) for pattern in NFT_RULES):
            found.append(TABLE_PROXY)
    return found


def by_table(saved: str) -> dict[str, list[str]]:
    """The rules of each table out of what iptables-save(8) prints."""
    tables: dict[str, list[str]] = {}
    rules: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            rules = tables.setdefault(line[1:].strip(), [])
        elif line.startswith("-A "):
            rules.append(line)
    return tables


def incomplete(writer: Writer, rules: Mapping[str, Sequence[str]]) -> bool:
    """Whether a rule is missing that the writer keeps."""
    return any(
        not any(re.fullmatch(pattern, rule) for rule in rules.get(table, ()))
        for table, patterns in writer.iptables.items()
        for pattern in patterns
    )


def resolver_rules(server: str, sockets: str) -> str:
    """Docker's DNS rules as kind has them, for iptables-restore(8); empty where they cannot be known.

    ``server`` is the node's nameserver; ``sockets`` is what ``ss -lntuH`` prints there.
    """
    ports = dict(re.findall(rf"^(tcp|udp)\s.*\s{re.escape(RESOLVER)}:(\d+)\s", sockets, re.MULTILINE))
    if not server or {*ports} != {"tcp", "udp"}:
        return ""
    lines = ["*nat", ":DOCKER_OUTPUT - [0:0]", ":DOCKER_POSTROUTING - [0:0]"]
    for chain, to in (
        ("PREROUTING", "DOCKER_OUTPUT"),
        ("OUTPUT", "DOCKER_OUTPUT"),
        ("POSTROUTING", "DOCKER_POSTROUTING"),
    ):
        lines.append(f"-A {chain} -d {server}/32 -j {to}")
    for kind, port in sorted(ports.items()):
        lines.append(
            f"-A DOCKER_OUTPUT -d {server}/32 -p {kind} -m {kind} --dport 53 "
            f"-j DNAT --to-destination {RESOLVER}:{port}"
        )
        lines.append(
            f"-A DOCKER_POSTROUTING -s {RESOLVER}/32 -p {kind} -m {kind} --sport {port} "
            f"-j SNAT --to-source {server}:53"
        )
    return "\n".join([*lines, "COMMIT", ""])


def _mend_node(node: str, mode: str, families: Sequence[int], writers: Sequence[Writer], api: Rest) -> None:
    _mend_resolver(node)
    for writer in writers:
        there = {"labelSelector": writer.selector, "fieldSelector": f"spec.nodeName={node}"}
        for pod in api.get(PODS, **there)["items"]:
            api.delete(f"{PODS}/{pod['metadata']['name']}", gracePeriodSeconds="1")
        what = f"the rules of {writer.name} on {node} to be there again"
        eventually(partial(_written, writer, node, mode, families), TIMEOUTS.ready, what, every=0.5)


def _written(writer: Writer, node: str, mode: str, families: Sequence[int]) -> bool:
    return writer not in broken(node, mode, families)


def _mend_resolver(node: str) -> None:
    """Puts back Docker's DNS rules of a node where they are gone: its daemons ask for names by them."""

    def told(*argv: str) -> str:
        return run(["docker", "exec", node, *argv], check=False).stdout

    nat = told("iptables-save", "-t", "nat")
    if all(re.search(pattern, nat, re.MULTILINE) for pattern in RESOLVER_RULES):
        return
    servers = re.findall(r"^nameserver\s+(\S+)", told("cat", "/etc/resolv.conf"), re.MULTILINE)
    if rules := resolver_rules(servers[0] if servers else "", told("ss", "-lntuH")):
        docker("exec", "--interactive", node, "iptables-restore", "--noflush", "--wait", stdin=rules)
