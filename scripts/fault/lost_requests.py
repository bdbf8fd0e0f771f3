"""Requests are dropped on the client's own node: it is as silent as if the server were dead."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 1 drops what its Pods send to port 80 of worker 2's",
    acts=lambda site: [
        rule(
            site,
            site.worker(1),
            "FORWARD",
            f"-s {site.range(1)} -d {site.range(2)} -p tcp --dport 80 -j DROP",
        )
    ],
    must=dict.fromkeys(("P1-mesh-1-other", "P1-back-1", "K8-allowed-1-other"), "timed-out"),
    may=("P1-*", "S*", "K1-*-1-*", "K2-1", "K5-*", "K6-alive", "K6-nobody", "K8-*", "C2-pod", "E3-pod", "P6"),
    cause="rule_drops",
    on=worker(1),
    claims=("P1", "P6", "K8"),
    symptom="Pods of one node cannot reach web servers on the other one; all else between the nodes works.",
    hints=(
        "Claim P1 is red in one direction: is it the request or the answer that is lost?",
        "Trace a failing request: does it leave its own node?",
        "Between cbr0 and eth0 of the client's node there is only its FORWARD chain.",
    ),
)
