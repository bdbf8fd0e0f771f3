"""A Service that keeps each client at one Pod."""

from scripts.fault._acts import patch
from scripts.fault._base import Fault

FAULT = Fault(
    what="the Service frontend keeps each client at one Pod",
    acts=lambda site: [
        patch(site, site.service("pod-to-service", "frontend"), {"spec": {"sessionAffinity": "ClientIP"}})
    ],
    must={"S2-1": "skipped", "S2-2": "skipped"},
    cause="",
    claims=("S2",),
    changes_rules=True,
    symptom="A client of the Service frontend meets the same Pod again and again.",
    hints=(
        "Claim S2 is red, and no connection fails: who answers, and who never does?",
        "Ask from another client: does it meet the same Pod, or one of its own?",
        "kubectl -n podpath-pod-to-service get service frontend -o yaml: what does it say of sessions?",
    ),
)
