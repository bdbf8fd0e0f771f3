"""DNS questions of one node's Pods are turned away at once."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 1 turns its Pods' DNS questions away with an ICMP message",
    acts=lambda site: [
        rule(site, site.worker(1), "FORWARD", f"-s {site.range(1)} -p udp --dport 53 -j REJECT")
    ],
    must={"S8-service": "", "S8-use": ""},
    may=("S8-*", "P6"),
    cause="rule_rejects",
    on=worker(1),
    claims=("S8",),
    symptom="Some Pods are told at once that no name server is there.",
    hints=(
        "Claim S8 is red without a wait: who answers the question?",
        "An ICMP message comes back: from whose address?",
        "Look at the rules for UDP port 53 on the client's node.",
    ),
)
