"""A Pod behind a Service that its selector does not select."""

from scripts.fault._base import Fault
from scripts.fault._objects import extra_slice

FAULT = Fault(
    what="the Service frontend has an endpoint that is another Service's Pod",
    acts=lambda site: [
        extra_slice(site, "pod-to-service", "frontend", "extra-foreign", site.pod("ingress-l4", "web").ip)
    ],
    must={"S2-1": "wrong-responder", "S2-2": "wrong-responder"},
    may=("S*", "I1", "I2-80"),
    cause="foreign_endpoint",
    claims=("S2", "S3"),
    changes_rules=True,
    symptom="The Service frontend answers every time, but not always with its own voice.",
    hints=(
        "Claim S2 is red although every request is answered: by whom?",
        "Compare the Pods that answer with those that the selector of the Service selects.",
        "Look at all EndpointSlices of the Service: which one was not written by its controller?",
    ),
)
