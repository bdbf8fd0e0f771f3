"""Datagrams of one node's Pods are dropped; what goes by TCP is not."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 1 drops its Pods' datagrams to port 5300",
    acts=lambda site: [
        rule(site, site.worker(1), "FORWARD", f"-s {site.range(1)} -p udp --dport 5300 -j DROP")
    ],
    must={"K4-direct-1-other": "", "K4-service-1": ""},
    may=("K4-*",),
    beside=("K4-direct-2-*", "P1-mesh-*", "S8-service"),
    cause="rule_drops",
    on=worker(1),
    claims=("K4",),
    symptom="A Service over UDP is silent for some clients; everything over TCP is fine.",
    hints=(
        "Claim K4 is red from one node: to its own Pods, to others', or to both?",
        "Nothing tells a client that a datagram is lost: capture at both ends, and see where it ends.",
        "Look for the port in the rules of the client's node.",
    ),
)
