"""Packets from a certain size on are dropped; small requests are fine."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 1 drops packets of 1300 octets and more that it forwards",
    acts=lambda site: [rule(site, site.worker(1), "FORWARD", "-m length --length 1300:65535 -j DROP")],
    must={"K1-get-1-other": "size-lost", "K1-post-1-other": "size-lost"},
    may=("K1-*", "K2-*"),
    cause="too_big",
    on=worker(1),
    claims=("K1",),
    symptom="Pages open, downloads hang.",
    hints=(
        "Claim K1 is red and P1 is green: what differs between their requests?",
        "From which size on is something lost, and on which pairs of nodes?",
        "A rule may look at the length: iptables -nvL FORWARD on the node that all of them pass.",
    ),
)
