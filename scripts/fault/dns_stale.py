"""The cluster's DNS does not hear of changes: it goes on answering with what it knows."""

from scripts.fault._acts import rule
from scripts.fault._base import Act, Fault, Site
from scripts.fault._objects import extra_slice


def _acts(site: Site) -> list[Act]:
    servers = site.view.snapshot.dns_pods
    rest = "-p tcp --sport 6443 -j DROP"
    deaf = [rule(site, pod.node, "POSTROUTING", f"-d {pod.ip} {rest}", "mangle") for pod in servers]
    spare = site.pod("pod-to-service", "spare")
    return [*deaf, extra_slice(site, "pod-to-service", "peer", "extra-peer", spare.ip)]


FAULT = Fault(
    what="CoreDNS does not hear that the headless Service peer has one more address",
    acts=_acts,
    must={"S8-headless": "wrong-address"},
    may=("S8-*",),
    cause="dns_stale",
    claims=("S8",),
    symptom="A name resolves to what was true a while ago.",
    hints=(
        "Claim S8 is red for the headless Service: compare the answer with its EndpointSlices.",
        "CoreDNS watches the API server: kubectl -n kube-system logs -l k8s-app=kube-dns.",
        "Can its Pods reach the API server? Look at all tables of their nodes.",
    ),
)
