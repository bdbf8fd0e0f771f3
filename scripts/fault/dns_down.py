"""The cluster's DNS has no Pod that runs."""

from scripts.evidence.view import View
from scripts.fault._acts import NOWHERE, image
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    """Another image ends their containers where they are; new Pods might come up on other nodes."""
    return [image(site, "kube-system", pod.name, "coredns", NOWHERE) for pod in site.view.snapshot.dns_pods]


def _felt(view: View) -> bool:
    return not any(pod.ready for pod in view.snapshot.dns_pods)


FAULT = Fault(
    what="no CoreDNS starts, for lack of its image",
    acts=_acts,
    must={"S8-service": "", "S8-headless": "", "S8-use": ""},
    may=("S8-*", "P6"),
    cause="dns_down",
    felt=_felt,
    claims=("S8", "P6"),
    changes_rules=True,
    symptom="No name resolves, from anywhere.",
    hints=(
        "Claim S8 is red from every node: where do all Pods ask?",
        "Follow the nameserver's address in /etc/resolv.conf: which Service is it, and who is behind it?",
        "kubectl -n kube-system get pods -l k8s-app=kube-dns.",
    ),
)
