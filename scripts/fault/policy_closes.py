"""A NetworkPolicy that closes Pods to everybody, on a cluster where one is enforced."""

from scripts.fault._acts import make
from scripts.fault._base import MARK, Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    namespace = site.view.namespace("pitfalls")
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": MARK, "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]},
    }
    return [make(site, f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies", policy)]


def _followed(site: Site) -> bool:
    """Whether each worker with such a Pod has rules for the policy, as kube-router comments them."""
    nodes = {pod.node for pod in site.view.pods("pitfalls", "server")}
    return all(f"nw policy {MARK}" in site.look(node, "iptables-save", "-t", "filter") for node in nodes)


FAULT = Fault(
    what="a NetworkPolicy lets nobody in to the Pods server",
    acts=_acts,
    must={
        **dict.fromkeys(("P1-mesh-*", "P1-back-*", "K8-outward-*"), "refused|timed-out"),
        "K8-denied-*": "control-failed",
    },
    may=("K1-*", "K2-*", "K3-*", "K5-*", "K6-near-*"),
    beside=("S6-?-80", "C2-app", "I6-*", "K6-there", "K8-allowed-*"),
    cause="policy_denies",
    claims=("P1", "K8"),
    followed=_followed,
    enforced=True,
    symptom="Pods of one workload refuse everybody, and are ready.",
    hints=(
        "Claim P1 is red for every client of the Pods server: does the Pod refuse, or somebody on the way?",
        "Trace a refused request: on which node does it end, and by a rule of which chain?",
        "Who writes that chain, and for what? kubectl -n podpath-pitfalls get networkpolicies",
    ),
)
