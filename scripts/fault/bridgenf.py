"""Frames between two Pods of a node bypass netfilter."""

from scripts.fault._acts import switch
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="netfilter of worker 1 does not see what its bridge forwards",
    acts=lambda site: [switch(site, site.worker(1), "net.bridge.bridge-nf-call-iptables", "0")],
    must={"S2-1": ""},
    may=("S*", "K1-*-service", "K3-1", "K5-*", "K6-*", "P6", "P1-*", "F1-1"),
    cause="bridge_filter_off",
    on=worker(1),
    claims=("S2", "S6", "K3"),
    symptom="A Service answers from one node most of the time, and never when its Pod is on the same node.",
    hints=(
        "Claim S6 is red from one node only, and not every time: what do the failing ones have in common?",
        "Trace a failing request: the answer of a Pod on the same bridge comes back from which address?",
        "Bridged frames meet netfilter only if net.bridge.bridge-nf-call-iptables is 1.",
    ),
)
