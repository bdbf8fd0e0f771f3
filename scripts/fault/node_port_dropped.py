"""A node port that one node does not serve: dropped before kube-proxy sees it."""

from scripts.fault._acts import rule
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    port = site.view.service("ingress-l4", "web-cluster").node_ports[80]
    return [rule(site, site.control, "PREROUTING", f"-p tcp --dport {port} -j DROP", "raw")]


FAULT = Fault(
    what="the control plane drops connections to a node port, in table raw",
    acts=_acts,
    must={"I6-control": "timed-out"},
    may=("I3-*", "I4-*", "K1-*-balancer"),
    cause="rule_drops",
    on=lambda site: site.control,
    claims=("I6",),
    symptom="A node port answers on all nodes but one.",
    hints=(
        "Claim I6 says that the port answers on every node: on which one does it not?",
        "kube-proxy's rules are the same there: does the packet come to them?",
        "Rules are met in the order raw, mangle, nat, filter: iptables -t raw -nvL.",
    ),
)
