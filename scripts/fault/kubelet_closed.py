"""A node that refuses outside hosts at a port that it serves."""

from scripts.fault._acts import rule
from scripts.fault._base import Act, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    """The API server, by which the fault is undone, still gets through."""
    outside = site.view.world.outside_ip
    return [
        rule(
            site,
            site.worker(1),
            "INPUT",
            f"-s {source} -p tcp --dport 10250 -j REJECT --reject-with tcp-reset",
        )
        for source in (outside, site.range(2), site.range(1))
    ]


FAULT = Fault(
    what="worker 1 refuses Pods and outside hosts at the kubelet's port",
    acts=_acts,
    must={"C4-reach-1": "refused", "E5-reach": "refused"},
    may=("C4-*", "E3-node", "E3-other", "E5-outside"),
    cause="rule_rejects",
    on=worker(1),
    claims=("C4", "E3", "E5"),
    symptom="A node refuses hosts that could reach it before.",
    hints=(
        "Claims C4 and E5 are open: which control of theirs is red?",
        "The node itself refuses: is its kubelet listening?",
        "Who refuses, the socket or a rule? iptables -nvL INPUT.",
    ),
)
