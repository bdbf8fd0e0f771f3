"""A container that can be reached from outside at its node's address, without a Service."""

from scripts.fault._acts import rule
from scripts.fault._base import Act, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    pod, outside = site.pod("container-to-container", "frontend"), site.view.world.outside_ip
    node = site.worker(1)
    return [
        rule(
            site,
            node,
            "PREROUTING",
            f"-s {outside} -p tcp --dport 8080 -j DNAT --to-destination {pod.ip}:8080",
            "nat",
        ),
        rule(site, node, "POSTROUTING", f"-s {outside} -d {pod.ip} -j MASQUERADE", "nat"),
    ]


FAULT = Fault(
    what="worker 1 sends what comes from outside to its port 8080 to a Pod",
    acts=_acts,
    must={"C4-node-1-8080": "unexpected-answer"},
    cause="exposed",
    on=worker(1),
    claims=("C4",),
    symptom="What should be closed is open.",
    hints=(
        "Claim C4 is red: which address and port answers, and who?",
        "Does anything listen there on the node? ss -ltn.",
        "Then a rule sends it on: iptables -t nat -nvL PREROUTING.",
    ),
)
