"""One node loses a tenth of what it forwards."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 2 drops a tenth of all packets that it forwards",
    acts=lambda site: [
        rule(site, site.worker(2), "FORWARD", "-m statistic --mode random --probability 0.1 -j DROP")
    ],
    must={"K2-1": "", "K2-2": "", "K7": "rests-on"},
    may=("*",),
    beside=("P1-mesh-*", "K1-*-other"),
    cause="packet_loss",
    on=worker(2),
    claims=("K2", "K7"),
    symptom="Everything works, but now and then something takes a second longer.",
    hints=(
        "Claim K2 is red: how many of the connections had to send their SYN again?",
        "Which pairs of nodes lose packets, and which do not: what is on the way of all that lose?",
        "Look at the counters of the rules of FORWARD on that node while connections are made.",
    ),
)
