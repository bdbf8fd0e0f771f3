"""A node has a Pod's address as well: what is sent from there reaches the node."""

from scripts.evidence.view import NotHere
from scripts.fault._acts import commands
from scripts.fault._base import Act, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    node = site.worker(1)
    other = site.worker(2)
    pod = next((pod for pod in site.view.pods("pitfalls", "server") if pod.node == other), None)
    if pod is None:
        raise NotHere(f"no Pod of server is on {other}")
    tool = ("ip", "addr")
    what = (f"{pod.ip}/32", "dev", "lo", "label", "lo:podpath")
    there = ("sh", "-c", f"ip -4 -o addr show dev lo | grep -q ' {pod.ip}/32 '")
    return [
        commands(
            node, ((*tool, "add", *what),), ((*tool, "del", *what[:3]),), there, f"address {pod.ip} on {node}"
        )
    ]


FAULT = Fault(
    what="worker 1 has the address of a Pod of worker 2",
    acts=_acts,
    must={"P1-mesh-1-other": "", "P1-back-1": ""},
    may=("P1-*", "K1-*-1-*", "K2-1", "K5-*", "S*"),
    cause="address_taken",
    on=worker(1),
    claims=("P1", "K1"),
    symptom="A Pod serves one node's clients and refuses the other's.",
    hints=(
        "Claim P1 is red for one Pod from one node: who refuses?",
        "Trace it: the packet does not leave the client's node.",
        "ip -4 addr on that node: which addresses does it take for its own?",
    ),
)
