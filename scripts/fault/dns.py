"""DNS questions of one node's Pods are dropped."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 1 drops its Pods' DNS questions",
    acts=lambda site: [
        rule(site, site.worker(1), "FORWARD", f"-s {site.range(1)} -p udp --dport 53 -j DROP")
    ],
    must={"S8-service": "no-dns-answer", "S8-headless": "no-dns-answer", "S8-use": ""},
    may=("S8-*", "P6"),
    cause="rule_drops",
    on=worker(1),
    claims=("S8",),
    symptom="Names of Services do not resolve in some Pods; the same Services answer at their clusterIP.",
    hints=(
        "Claim S8 is red and S6 is green: is it the Service that is broken, or the finding of it?",
        "Ask by name from a Pod on each node: getent ahostsv4 in client Pods.",
        "A DNS question is a UDP packet to port 53: where on its way does it end?",
    ),
)
