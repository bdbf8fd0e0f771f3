"""Connections refused by a rule, as a dead Pod would refuse them."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 2 refuses connections of worker 1's Pods to port 80 of its own",
    acts=lambda site: [
        rule(
            site,
            site.worker(2),
            "FORWARD",
            f"-s {site.range(1)} -d {site.range(2)} -p tcp --dport 80 -j REJECT --reject-with tcp-reset",
        )
    ],
    must={"P1-mesh-1-other": "refused", "P1-back-1": "refused"},
    may=("P1-*", "S*", "K1-*-1-*", "K2-1", "K5-*", "K6-alive", "K6-nobody", "K8-*", "C2-pod", "E3-pod", "P6"),
    cause="rule_rejects",
    on=worker(2),
    claims=("P1", "S2", "K1"),
    symptom="Some Pods refuse connections at once from one node, and serve everybody else.",
    hints=(
        "Claim P1 is red and curl says refused: does the server's Pod say so, or somebody on the way?",
        "Trace a refused request: does it reach the Pod's veth?",
        "A packet that does not come to its Pod is ended by a node: look at its FORWARD chain.",
    ),
)
