"""A Service that forgets its clients: no session affinity where there should be one."""

from scripts.fault._acts import patch
from scripts.fault._base import Fault

CHANGE = {"spec": {"sessionAffinity": "None", "sessionAffinityConfig": None}}

FAULT = Fault(
    what="the Service sticky does not keep its clients",
    acts=lambda site: [patch(site, site.service("pitfalls", "sticky"), CHANGE)],
    must={"K5-kept": "not-kept"},
    cause="session_affinity",
    claims=("K5",),
    changes_rules=True,
    symptom="Clients of a Service that should stay with one Pod wander.",
    hints=(
        "Claim K5 says that a client is kept: by which part of the Service's spec?",
        "Look at the rules of the Service: is there one that remembers?",
        "kubectl -n podpath-pitfalls get service sticky -o yaml.",
    ),
)
