"""An Ingress that sends a path to another Service than it should."""

from scripts.fault._acts import patch
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    namespace = site.view.namespace("ingress-l7")
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/frontend"
    rules = site.api.get(path)["spec"]["rules"]
    backend = {"service": {"name": "blog", "port": {"number": 80}}}
    changed = [
        {
            **rule,
            "http": {
                "paths": [
                    {**one, "backend": backend} if one["path"] == "/shop" else one
                    for one in rule["http"]["paths"]
                ]
            },
        }
        for rule in rules
    ]
    return [patch(site, path, {"spec": {"rules": changed}})]


FAULT = Fault(
    what="the Ingress frontend sends /shop to the Service blog",
    acts=_acts,
    must={"I8-shop": "wrong-responder"},
    may=("I9-path",),
    beside=("I7-*", "I8-blog", "I12-*"),
    cause="wrong_backend",
    claims=("I8",),
    changes_rules=True,
    symptom="A path is served, by the wrong one.",
    hints=(
        "Claim I8 is red although the answer is 200: who answered?",
        "The same path by the Gateway (claim I12) is right: compare their routes.",
        "kubectl -n podpath-ingress-l7 get ingress frontend -o yaml.",
    ),
)
