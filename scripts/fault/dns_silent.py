"""A DNS server that is ready and says nothing: its process is stopped."""

from scripts.fault._acts import signal
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    return [signal(node, "coredns") for node in sorted({pod.node for pod in site.view.snapshot.dns_pods})]


FAULT = Fault(
    what="every CoreDNS is stopped",
    acts=_acts,
    must={"S8-service": "no-dns-answer", "S8-headless": "no-dns-answer", "S8-use": ""},
    may=("S8-*", "P6"),
    cause="dns_silent",
    claims=("S8",),
    symptom="No name resolves, from anywhere, although all Pods of the DNS are ready.",
    hints=(
        "Claim S8 is red from every node, and not by a refusal: do the questions arrive?",
        "Trace a question to the address of one of the DNS Pods: it is delivered. And then?",
        "A process may be there and not run: look at its state on the node of the Pod.",
    ),
)
