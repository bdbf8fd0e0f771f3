"""The gateway drops what the nodes send to the outside."""

from scripts.fault._acts import rule_in
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    world = site.view.world
    return [rule_in(site, world.gateway, "FORWARD", f"-d {world.outside_ip} -p tcp --dport 80 -j DROP")]


FAULT = Fault(
    what="the gateway drops requests to the server beyond it",
    acts=_acts,
    must={"E2-client-1": "timed-out", "E2-client-2": "timed-out", "E2-gateway": "", "E4-path": ""},
    beside=("E1-*", "I6-*"),
    cause="rule_drops",
    on=lambda site: site.view.world.gateway,
    claims=("E2", "E4"),
    symptom="The world ends behind the nodes' own network.",
    hints=(
        "Claims E2 and E4 are red, E1 is green: which of the two networks does a request reach?",
        "Trace it: it leaves the node under the node's address. Who has it next?",
        "Look at FORWARD in the gateway's container.",
    ),
)
