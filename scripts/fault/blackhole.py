"""The other node's Pods cannot be reached: a route swallows what is sent to them."""

from scripts.fault._acts import route
from scripts.fault._base import Fault, worker
from scripts.fault._objects import halves

FAULT = Fault(
    what="worker 1 has a black hole for worker 2's Pods among its routes",
    acts=lambda site: [route(site.worker(1), "blackhole", half) for half in halves(site.range(2))],
    must={"P1-mesh-1-other": "timed-out", "P1-back-1": "timed-out", "P1-mesh-2-other": ""},
    may=("P*", "S*", "K*", "I*", "C2-pod", "C4-alive", "C4-*", "E3-pod", "E5-node", "F1-*"),
    cause="no_route",
    on=worker(1),
    claims=("P1", "P5", "P6", "K1"),
    symptom="Nothing passes between the Pods of the two workers, in silence.",
    hints=(
        "Claim P5 says that the node maps Pod ranges to nodes: does it, on both?",
        "Trace a request across: it is seen at cbr0 and never at eth0. Who decides between the two?",
        "Ask the kernel for this very packet: ip route get, with its source and interface.",
    ),
)
