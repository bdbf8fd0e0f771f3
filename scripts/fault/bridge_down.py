"""The bridge of a node's Pods is down: they are cut off from everybody, and from each other."""

from scripts.fault._acts import link_down
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="the bridge of worker 1's Pods is down",
    acts=lambda site: [link_down(site.worker(1), "cbr0", "bridge")],
    must={"P1-mesh-1-same": "timed-out", "P1-mesh-1-other": "timed-out", "P1-back-2": "timed-out"},
    may=("P*", "S*", "K*", "I*", "C2-pod", "C4-*", "E*", "F1-*"),
    cause="interface_down",
    on=worker(1),
    claims=("P1", "P4", "P5"),
    symptom="All Pods of one node are ready, or were a moment ago, and none of them answers.",
    hints=(
        "Claim P4 is red too: not even Pods of the same node reach each other. What do they share?",
        "Trace a request to one of them: it comes in at the node and turns round.",
        "ip link show on that node: which of its interfaces is not UP?",
    ),
)
