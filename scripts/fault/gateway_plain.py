"""The gateway between the nodes and the outside does not translate."""

from scripts.fault._acts import rule_in
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    world = site.view.world
    return [rule_in(site, world.gateway, "POSTROUTING", f"-d {world.outside_ip} -j ACCEPT", "nat")]


FAULT = Fault(
    what="the gateway leaves the nodes' addresses as they are",
    acts=_acts,
    must={"E2-client-1": "wrong-source", "E2-client-2": "wrong-source", "E2-gateway": ""},
    may=("E4-path",),
    beside=("E1-*", "I6-*"),
    cause="no_masquerade",
    on=lambda site: site.view.world.gateway,
    claims=("E2",),
    symptom="The server outside sees more of the cluster than it should.",
    hints=(
        "Claim E2 says that the server sees the gateway: whom does it see?",
        "Trace a request to the outside: two translations are expected. Which one is missing?",
        "Look at POSTROUTING in the gateway's container.",
    ),
)
