"""One node sends its Pods' packets out of the cluster under the Pods' own addresses."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 2 does not masquerade what its Pods send out of the cluster",
    acts=lambda site: [rule(site, site.worker(2), "POSTROUTING", f"-s {site.range(2)} -j ACCEPT", "nat")],
    must={"E1-client-2": "", "E2-client-2": ""},
    may=("E1-node", "E1-trace", "E2-gateway", "E4-path", "E3-other", "S*", "I*", "K*", "P6"),
    cause="no_masquerade",
    on=worker(2),
    claims=("E1", "E2", "E4"),
    symptom="Pods on one node reach nothing outside the cluster; everything inside is fine.",
    hints=(
        "Claim E1 is red for one node's Pods: does the request leave the node at all?",
        "Trace it to the server on the nodes' network: under which address does it leave eth0?",
        "No answer finds back to a Pod's address: which rule of POSTROUTING should have rewritten it?",
    ),
)
