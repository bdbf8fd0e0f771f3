"""A stale Pod address behind a Service: nobody has it any more."""

from scripts.fault._base import Fault
from scripts.fault._objects import extra_slice, unused

FAULT = Fault(
    what="the Service frontend has an endpoint that is no Pod's",
    acts=lambda site: [extra_slice(site, "pod-to-service", "frontend", "extra-dead", unused(site, 1)[0])],
    must={"S2-1": ""},
    may=("S*", "I1", "I2-*", "F1-*"),
    cause="dead_endpoint",
    claims=("S2",),
    changes_rules=True,
    symptom="About a quarter of the connections to the Service frontend fail.",
    hints=(
        "Claim S2 is red: do the failing connections go to a Pod that fails, or to no Pod at all?",
        "Compare the addresses in the rules of kube-proxy with those of the Pods.",
        "Look at all EndpointSlices of the Service: which address is no Pod's, and whose is that slice?",
    ),
)
