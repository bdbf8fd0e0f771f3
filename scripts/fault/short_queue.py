"""A queue that is too short: packets are lost when many come at once, and no rule drops them."""

from scripts.fault._acts import commands
from scripts.fault._base import Act, Fault, Site, worker

DEVICE = ("dev", "cbr0", "root", "handle", "199:")
FORM = ("tbf", "rate", "2mbit", "burst", "1600", "limit", "3000")


def _acts(site: Site) -> list[Act]:
    node = site.worker(2)
    there = ("sh", "-c", "tc qdisc show dev cbr0 | grep -q 'tbf 199:'")
    gone = (("tc", "qdisc", "del", *DEVICE),)
    return [
        commands(node, (("tc", "qdisc", "add", *DEVICE, *FORM),), gone, there, f"queue of cbr0 on {node}")
    ]


FAULT = Fault(
    what="the queue of worker 2's bridge has room for two packets",
    acts=_acts,
    must={"K2-1": ""},
    may=("K2-2", "P1-mesh-1-other", "P1-back-1"),
    beside=("P1-mesh-1-same", "C2-app"),
    cause="packet_loss",
    on=worker(2),
    claims=("K2",),
    symptom="One request is fine, two hundred at once are not.",
    hints=(
        "Claim K2 is red: which of its two directions loses SYNs?",
        "No rule counts what is lost. Which interface does: ip -s link, tc -s qdisc?",
        "Compare the queues of the bridges of both workers.",
    ),
)
