"""A route that belongs to no Gateway."""

from scripts.fault._acts import patch
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    namespace = site.view.namespace("ingress-l7")
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/shop"
    parents = [{**one, "name": "nowhere"} for one in site.api.get(path)["spec"]["parentRefs"]]
    return [patch(site, path, {"spec": {"parentRefs": parents}})]


FAULT = Fault(
    what="the HTTPRoute shop belongs to a Gateway that is not there",
    acts=_acts,
    must={"I12-shop": ""},
    may=("I12-no-host",),
    beside=("I7-shop", "I12-blog", "I12-*-path"),
    cause="no_configuration",
    claims=("I12",),
    changes_rules=True,
    symptom="The Gateway does not know a host that the Ingress serves.",
    hints=(
        "Claim I12 says that Ingress and Gateway give the same answers: for which host do they not?",
        "kubectl -n podpath-ingress-l7 get httproutes: is each one accepted by its parent?",
        "Compare parentRefs of the routes.",
    ),
)
