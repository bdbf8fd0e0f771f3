"""A node that does not forward: its Pods are alone."""

from scripts.fault._acts import switch
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 1 does not forward packets",
    acts=lambda site: [switch(site, site.worker(1), "net.ipv4.ip_forward", "0")],
    must={"P1-mesh-1-other": "timed-out", "E1-client-1": "timed-out"},
    may=("P*", "S*", "K*", "I*", "C2-pod", "C4-*", "E*", "F1-*"),
    cause="forwarding_off",
    on=worker(1),
    claims=("P1", "P5", "E1", "E4", "I3"),
    symptom="The Pods of one node reach each other and nobody else.",
    hints=(
        "Claims P4 and P5 differ: the same bridge works, the way over the node does not.",
        "Trace a request from that node: it comes in at cbr0 and goes out nowhere.",
        "A kernel forwards only if it is told to: sysctl net.ipv4.ip_forward.",
    ),
)
