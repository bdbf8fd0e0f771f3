"""A node that does not serve a node port: the one without a Pod, which has to send on."""

from scripts.fault._acts import rule
from scripts.fault._base import Act, Fault, Site


def bare(site: Site) -> str:
    """The worker without a Pod of the Service web-cluster."""
    occupied = {endpoint.node for endpoint in site.view.endpoints("ingress-l4", "web-cluster")}
    return next(node.name for node in site.view.snapshot.workers if node.name not in occupied)


def _acts(site: Site) -> list[Act]:
    pod = site.pod("ingress-l4", "web")
    return [rule(site, bare(site), "FORWARD", f"-d {pod.ip} -p tcp --dport 80 -j DROP")]


FAULT = Fault(
    what="the worker without a Pod of web-cluster does not send on to the other one",
    acts=_acts,
    must={"I3-without": "timed-out", "I4-nodeport": "timed-out", "I6-without": "timed-out"},
    may=("I3-trace", "I4-balancer", "I5-balancer", "K1-*-balancer"),
    beside=("I5-local", "I6-with", "I6-control", "S6-?-80"),
    cause="rule_drops",
    on=bare,
    claims=("I3", "I4", "I6"),
    symptom="The load balancer hesitates; one node port does not answer.",
    hints=(
        "Claim I6 says that every node answers: which one does not, and does it have a Pod?",
        "Trace a request to that node port: it is translated to a Pod's address. Where should it go then?",
        "A translated packet is forwarded as any other: look at FORWARD on that node.",
    ),
)
