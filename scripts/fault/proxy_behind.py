"""The kube-proxy of one node no longer hears from the API server: the node's rules are out of date."""

from scripts.fault._acts import patch, rule
from scripts.fault._base import Act, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    namespace = site.view.namespace("pod-to-service")
    server = site.view.snapshot.node_ip(site.control)
    deaf = rule(site, site.worker(1), "INPUT", f"-p tcp -s {server} --sport 6443 -j DROP")
    joins = patch(
        site, f"/api/v1/namespaces/{namespace}/pods/spare", {"metadata": {"labels": {"app": "frontend"}}}
    )
    return [deaf, joins]


FAULT = Fault(
    what="kube-proxy on worker 1 does not hear that a Pod has joined the Service frontend",
    acts=_acts,
    must={"S4": "tables-differ"},
    may=("S*",),
    cause="proxy_behind",
    on=worker(1),
    claims=("S4", "S5"),
    changes_rules=True,
    symptom="The Service frontend has one Pod more, but not for everybody.",
    hints=(
        "Claim S4 is red: which node's table differs, and in which address?",
        "Compare with the EndpointSlices: is that node ahead or behind?",
        "kube-proxy watches the API server: can it, from that node? iptables -S INPUT.",
    ),
)
