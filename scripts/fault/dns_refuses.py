"""DNS questions are sent to a port on which nobody listens."""

from scripts.fault._acts import patch
from scripts.fault._base import Act, Fault, Site

PATH = "/api/v1/namespaces/kube-system/services/kube-dns"


def _acts(site: Site) -> list[Act]:
    ports = [
        {**port, "targetPort": 54} if port["port"] == 53 else port
        for port in site.api.get(PATH)["spec"]["ports"]
    ]
    return [patch(site, PATH, {"spec": {"ports": ports}})]


FAULT = Fault(
    what="the Service of the cluster's DNS sends to port 54, on which nobody listens",
    acts=_acts,
    must={"S8-service": "", "S8-headless": "", "S8-use": ""},
    may=("S8-*", "P6"),
    cause="dns_refuses",
    claims=("S8",),
    changes_rules=True,
    symptom="No name resolves, and nobody has to wait for that.",
    hints=(
        "Claim S8 is red from every node, at once: who refuses?",
        "Ask one of the DNS Pods for a name, and then their Service: do both answer?",
        "Between the two stands the Service: which port does it send to?",
    ),
)
