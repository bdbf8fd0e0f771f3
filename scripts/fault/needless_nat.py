"""A node that hides its Pods from other Pods behind its own address."""

from scripts.fault._acts import rule
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 1 masquerades what its Pods send to other Pods",
    acts=lambda site: [
        rule(
            site,
            site.worker(1),
            "POSTROUTING",
            f"-s {site.range(1)} -d {there} -p tcp -j MASQUERADE",
            "nat",
        )
        for there in (site.range(1), site.range(2))
    ],
    must={"P1-mesh-1-other": "wrong-source", "P1-back-1": "wrong-source", "E3-pod": "wrong-source"},
    may=("P1-*", "P4-*", "P5-*", "P6", "C2-pod", "S6-1-*"),
    cause="needless_nat",
    on=worker(1),
    claims=("P1", "E3"),
    symptom="Everything answers, but servers do not know their clients.",
    hints=(
        "Claim P1 says without NAT: which source does the server see?",
        "Trace it: where on the way does the source change?",
        "Look at POSTROUTING on that node: iptables -t nat -nvL POSTROUTING.",
    ),
)
