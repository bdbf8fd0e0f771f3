"""A node's interface takes only small packets, and the message that says so is dropped."""

from scripts.fault._acts import commands, rule
from scripts.fault._base import Act, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    node = site.worker(2)
    icmp = "-p icmp --icmp-type fragmentation-needed -j DROP"
    return [
        rule(site, node, "OUTPUT", icmp),
        commands(
            node,
            (("ip", "link", "set", "dev", "eth0", "mtu", "700"),),
            (("ip", "link", "set", "dev", "eth0", "mtu", "1500"),),
            ("sh", "-c", "ip link show dev eth0 | grep -q 'mtu 700 '"),
            f"MTU of eth0 on {node}",
        ),
    ]


FAULT = Fault(
    what="eth0 of worker 2 takes 700 octets, and the message that says so is dropped",
    acts=_acts,
    must={"K1-get-1-other": "size-lost|timed-out", "K1-post-2-other": "size-lost|timed-out"},
    may=("K1-*", "K2-*", "P6", "I*", "E*"),
    cause="wrong_mtu",
    on=worker(2),
    claims=("K1",),
    symptom="Small answers come, large ones hang, from one node only.",
    hints=(
        "Claim K1 is red: which node do the packets have to leave?",
        "Compare the MTU of the interfaces on the way: ip link show.",
        "A router that cannot pass a packet tells the sender: is that message seen anywhere?",
    ),
)
