"""An Ingress with a backend for everything that matches no rule."""

from scripts.fault._acts import patch
from scripts.fault._base import Act, Fault, Site

BACKEND = {"service": {"name": "blog", "port": {"number": 80}}}


def _acts(site: Site) -> list[Act]:
    namespace = site.view.namespace("ingress-l7")
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/frontend"
    return [patch(site, path, {"spec": {"defaultBackend": BACKEND}})]


FAULT = Fault(
    what="the Ingress frontend sends unknown hosts and paths to the Service blog",
    acts=_acts,
    must={"I9-host": ""},
    may=("I9-path", "I10-plain"),
    beside=("I7-*", "I8-*", "I12-no-host"),
    cause="wrong_backend",
    claims=("I9",),
    changes_rules=True,
    symptom="Hosts that nobody knows are served.",
    hints=(
        "Claim I9 is red: who answers for an unknown host?",
        "The Gateway answers 404 to the same request: what does the Ingress have that it has not?",
        "kubectl -n podpath-ingress-l7 get ingress frontend -o yaml.",
    ),
)
