"""Answers dropped one way: requests arrive, and nobody ever hears."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 2 drops every SYN-ACK from its Pods to worker 1's",
    acts=lambda site: [
        rule(
            site,
            site.worker(2),
            "FORWARD",
            f"-s {site.range(2)} -d {site.range(1)} -p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP",
        )
    ],
    must={"P1-mesh-1-other": "timed-out", "P1-back-1": "timed-out", "K1-get-1-other": ""},
    may=(
        "P1-*",
        "P4-*",
        "P5-*",
        "P6",
        "S*",
        "K1-*-1-*",
        "K2-1",
        "K5-*",
        "K6-alive",
        "K6-nobody",
        "K8-*",
        "C2-pod",
        "E3-pod",
    ),
    cause="rule_drops",
    on=worker(2),
    claims=("P1", "P5", "S2", "K1"),
    symptom="Connections of one node's Pods to the other node's time out; the other way round they are fine.",
    hints=(
        "Claim P1 says that every Pod reaches every Pod: which pairs of nodes do not, in which direction?",
        "Follow one with scripts/trace: the request reaches its Pod. Where is the answer last seen?",
        "Look at the rules through which the answer passes on its own node: iptables -nvL FORWARD.",
    ),
)
