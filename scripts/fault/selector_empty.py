"""A Service whose selector matches nothing."""

from scripts.fault._acts import patch
from scripts.fault._base import Fault

FAULT = Fault(
    what="the selector of the Service server matches no Pod",
    acts=lambda site: [
        patch(site, site.service("pitfalls", "server"), {"spec": {"selector": {"app": "servers"}}})
    ],
    must={"K5-free": "", "K1-get-1-service": "", "K1-post-2-service": ""},
    may=("K1-*-service", "K5-kept"),
    cause="selector_empty",
    claims=("K1", "K5"),
    changes_rules=True,
    symptom="A Service refuses every connection although its Pods are ready.",
    hints=(
        "Claim K5 has no answer at all: does the Service have endpoints?",
        "Compare the labels of the Pods with what the Service selects, letter by letter.",
        "kubectl -n podpath-pitfalls get service server -o wide.",
    ),
)
