"""The chain's last link is cut: nobody hears from the database."""

from scripts.fault._acts import rule
from scripts.fault._base import Act, Fault, Site, node_of


def _acts(site: Site) -> list[Act]:
    pod = site.pod("pod-to-pod", "database")
    return [rule(site, pod.node, "FORWARD", f"-d {pod.ip} -p tcp --dport 5432 -j DROP")]


FAULT = Fault(
    what="the database's node drops connections to it",
    acts=_acts,
    must={"P6": ""},
    beside=("P1-database-*", "P1-rest-frontend", "C2-app"),
    cause="rule_drops",
    on=node_of("pod-to-pod", "database"),
    claims=("P6",),
    symptom="The shop opens, its orders do not.",
    hints=(
        "Claim P6 is a chain of three: which link is the last that answers?",
        "The database answers nobody at 5432: is its Pod ready?",
        "Look for the port in the rules of the database's node.",
    ),
)
