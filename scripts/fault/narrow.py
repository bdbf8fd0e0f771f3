"""Large packets vanish between a node and its Pods, with no rule and no MTU that says so."""

from scripts.fault._acts import commands
from scripts.fault._base import Act, Argv, Fault, Site

QDISC: Argv = ("tc", "qdisc", "add", "dev", "cbr0", "root", "handle", "199:")
FORM: Argv = ("tbf", "rate", "8gbit", "burst", "1200", "limit", "1000000")


def _acts(site: Site) -> list[Act]:
    node = site.worker(2)
    there = ("sh", "-c", "tc qdisc show dev cbr0 | grep -q 'tbf 199:'")
    gone = (("tc", "qdisc", "del", "dev", "cbr0", "root", "handle", "199:"),)
    return [commands(node, ((*QDISC, *FORM),), gone, there, f"queue of cbr0 on {node}")]


FAULT = Fault(
    what="worker 2 loses packets of more than 1200 octets on their way to its Pods",
    acts=_acts,
    must={"K1-post-1-other": "size-lost", "K1-get-2-other": "size-lost"},
    may=("K1-*", "K2-*", "P6"),
    cause="too_big",
    claims=("K1",),
    symptom="Pods of one node send anything and receive only what is small.",
    hints=(
        "Claim K1 is red in one direction: to which node's Pods do large packets not come?",
        "Trace a large upload: its segments come in at eth0. Where are they seen next?",
        "No rule drops them. What else stands between a route and an interface: tc -s qdisc show.",
    ),
)
