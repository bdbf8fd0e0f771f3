"""The fence of the made-up cluster, as nft and iptables print what podpath itself puts there."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.clusters.kind import fence, hostfence
from scripts.stack.profile import Profile
from tests.unit.atlas import CIDRS, NODES, OUTSIDE
from tests.unit.lies import Lies
from tests.unit.ways import KUBELET

KIND = Profile("kind")
LIST = ("nft", "--stateless", "list", "table", "inet", OUTSIDE.fence)
ERRNO = {"Connection refused": 111, "No route to host": 113}
ALARM = 142
"""How a shell tells that SIGALRM ended a program."""


def host_table(argv: Sequence[str], lies: Lies) -> tuple[str, int]:
    """nft on the host, which has the fence's table and no other."""
    if lies.fenceless or tuple(argv) != LIST:
        return f"Error: No such file or directory\nlist table inet {argv[-1]}\n", 1
    lines = hostfence.host_table(KIND).splitlines()
    return "".join(f"{line}\n" for line in lines if line.strip() not in lies.unruled), 0


def node_table(node: str, lies: Lies) -> str:
    """``iptables -S`` of a node."""
    rules = fence.node_rules(KIND.pod_ranges[4], KIND.service_ranges[4], [*CIDRS.values()])
    jump = [] if node in lies.unfenced else [f"-A FORWARD {fence.JUMP}"]
    other = '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD'
    lines = ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", f"-N {fence.CHAIN}", *jump, other]
    lines += [rule for rule in rules if node not in lies.flushed and rule not in lies.unruled]
    return "".join(f"{line}\n" for line in lines)


def connect(ip: str, port: str, lies: Lies) -> tuple[str, int]:
    """A connection by hand from the nodes' network: past the gateway, or to a node's kubelet."""
    ways = {(OUTSIDE.outside_ip, "80"): lies.beyond}
    ways |= {(address, str(KUBELET)): lies.inside for address in NODES.values()}
    said = ways.get((ip, port), "Connection refused\n")
    return said, 0 if said.startswith("connected") else ERRNO.get(said.strip(), ALARM)
