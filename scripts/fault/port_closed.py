"""A Service that sends to a port on which nobody listens."""

from scripts.fault._acts import patch
from scripts.fault._base import Fault

PORTS = [{"name": "nginx", "port": 80, "protocol": "TCP", "targetPort": 81}]

FAULT = Fault(
    what="the Service near sends to port 81, on which nobody listens",
    acts=lambda site: [patch(site, site.service("pitfalls", "near"), {"spec": {"ports": PORTS}})],
    must={"K3-1": "refused", "K3-2": "refused", "K6-near-1": ""},
    may=("K6-near-2",),
    cause="port_closed",
    claims=("K3", "K6"),
    changes_rules=True,
    symptom="A Service refuses every connection although its endpoints are ready.",
    hints=(
        "Claim K3 is refused at once: does the request reach a Pod?",
        "Trace it: to which port does the rule send, and who answers with a reset?",
        "Compare targetPort of the Service with the ports on which the Pod listens.",
    ),
)
