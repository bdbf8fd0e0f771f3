"""A Service that loses its clients' addresses: externalTrafficPolicy Cluster instead of Local."""

from scripts.fault._acts import patch
from scripts.fault._base import Fault

CHANGE = {"spec": {"externalTrafficPolicy": "Cluster", "healthCheckNodePort": None}}
"""The port goes with the policy, and has to come back with it as the one that it was."""

FAULT = Fault(
    what="the Service web-local has externalTrafficPolicy Cluster",
    acts=lambda site: [patch(site, site.service("ingress-l4", "web-local"), CHANGE)],
    must={"I5-local": "wrong-source", "I5-skips": "unexpected-answer"},
    cause="traffic_policy",
    claims=("I5",),
    changes_rules=True,
    symptom="A server sees a node where it should see its client.",
    hints=(
        "Claim I5 says that one policy keeps the client's address: which source does the server see?",
        "Does a node without a Pod of that Service answer at its node port?",
        "kubectl -n podpath-ingress-l4 get service web-local -o yaml: which policy does it have?",
    ),
)
