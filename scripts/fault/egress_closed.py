"""A node lets nothing out to the world beyond the gateway."""

from scripts.fault._acts import rule
from scripts.fault._base import Act, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    outside = site.view.world.outside_ip
    rest = f"-s {site.range(2)} -d {outside} -p tcp --dport 80 -j REJECT --reject-with icmp-admin-prohibited"
    return [rule(site, site.worker(2), "FORWARD", rest)]


FAULT = Fault(
    what="worker 2 lets its Pods not out to the server beyond the gateway",
    acts=_acts,
    must={"E2-client-2": ""},
    may=("E2-gateway", "E4-path"),
    beside=("E1-*", "E2-client-1", "I6-*"),
    cause="rule_rejects",
    on=worker(2),
    claims=("E2", "E4"),
    symptom="Pods of one node reach the nodes' network and nothing beyond.",
    hints=(
        "Claim E2 is red for one node, E1 is green: how far does the request come?",
        "An ICMP message ends it: from whom?",
        "Look at FORWARD on the client's node.",
    ),
)
