"""A Service whose first port is not the one that its Pods were given."""

from scripts.fault._acts import patch
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    path = site.service("pod-to-service", "frontend")
    ports = site.api.get(path)["spec"]["ports"]
    return [patch(site, path, {"spec": {"ports": [*reversed(ports)]}})]


FAULT = Fault(
    what="the Service frontend has its ports in another order than when its Pods were created",
    acts=_acts,
    must={"S10": "no-variables"},
    may=("S10-frontend",),
    cause="stale_variables",
    claims=("S10",),
    changes_rules=True,
    symptom="Whoever finds the Service by its environment finds another port.",
    hints=(
        "Claim S10 is red: which variable is not what it should be?",
        "When does a Pod get its variables?",
        "Compare the first port of the Service with FRONTEND_SERVICE_PORT in its Pods.",
    ),
)
