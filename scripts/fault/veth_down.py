"""A Pod's network interface is down: the other end of its veth pair has no carrier."""

from scripts.fault._acts import link_down
from scripts.fault._base import Act, Fault, Site, node_of


def _acts(site: Site) -> list[Act]:
    pod = site.pod("pitfalls", "lone")
    return [link_down(pod.node, site.veth(pod), "veth")]


FAULT = Fault(
    what="the veth of Pod lone is down",
    acts=_acts,
    must={"K6-alive": "", "K6-there": ""},
    may=("K6-nobody",),
    cause="interface_down",
    on=node_of("pitfalls", "lone"),
    claims=("K6",),
    symptom="One Pod is ready and silent.",
    hints=(
        "Claim K6 is red in both halves: does the Pod answer to anybody?",
        "The request reaches its node: is it seen at the Pod's veth?",
        "ip link show on that node: what is the state of each veth?",
    ),
)
