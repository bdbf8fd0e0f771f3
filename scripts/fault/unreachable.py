"""No route to the other node's Pods, and the node says so: refused at once, as by a dead Pod."""

from scripts.fault._acts import route
from scripts.fault._base import Fault, worker
from scripts.fault._objects import halves

FAULT = Fault(
    what="worker 2 answers that worker 1's Pods cannot be reached",
    acts=lambda site: [route(site.worker(2), "unreachable", half) for half in halves(site.range(1))],
    must={"P1-mesh-2-other": "refused|no-answer", "P1-back-2": "refused|no-answer"},
    may=("P*", "S*", "K*", "I*", "C2-pod", "C4-alive", "C4-*", "E3-pod", "E5-node", "F1-*"),
    cause="no_route",
    on=worker(2),
    claims=("P1", "P5"),
    symptom="Connections from one worker's Pods to the other's end at once: no route to host.",
    hints=(
        "Claim P1 is red with an answer that comes at once: who gives it?",
        "An ICMP message ends the connection: whose address does it come from?",
        "ip route show table all on that node: which line is about the other node's Pods?",
    ),
)
