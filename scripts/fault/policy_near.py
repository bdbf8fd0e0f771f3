"""A Service that sends to any node's Pods: internalTrafficPolicy Cluster instead of Local."""

from scripts.fault._acts import patch
from scripts.fault._base import Fault

FAULT = Fault(
    what="the Service near has internalTrafficPolicy Cluster",
    acts=lambda site: [
        patch(site, site.service("pitfalls", "near"), {"spec": {"internalTrafficPolicy": "Cluster"}})
    ],
    must={"K6-near-1": "", "K6-near-2": ""},
    may=("K3-*",),
    cause="traffic_policy",
    claims=("K3", "K6"),
    changes_rules=True,
    symptom="A Service that should stay on its node does not.",
    hints=(
        "Claim K6 says that only Pods of the client's own node answer: who does?",
        "Compare the rules of the two nodes for that Service.",
        "kubectl -n podpath-pitfalls get service near -o yaml: which policy does it have?",
    ),
)
