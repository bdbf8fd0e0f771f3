"""An Ingress without a rule for a host that it should serve."""

from scripts.fault._acts import patch
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    namespace = site.view.namespace("ingress-l7")
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/frontend"
    rules = [rule for rule in site.api.get(path)["spec"]["rules"] if not rule["host"].startswith("shop.")]
    return [patch(site, path, {"spec": {"rules": rules}})]


FAULT = Fault(
    what="the Ingress frontend has no rule for shop.podpath.test",
    acts=_acts,
    must={"I7-shop": "", "I10-forwarded": ""},
    may=("I9-host", "I10-plain"),
    beside=("I7-blog", "I8-*", "I9-path", "I12-shop"),
    cause="no_configuration",
    claims=("I7", "I10"),
    changes_rules=True,
    symptom="One host name gives 404, the others are served.",
    hints=(
        "Claim I7 is red for one host: who answers with 404, a Pod or the Ingress?",
        "The same host by the Gateway (claim I12) is served: compare their routes.",
        "kubectl -n podpath-ingress-l7 get ingress frontend -o yaml.",
    ),
)
