"""A node that has stopped."""

from scripts.fault._acts import pause
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="worker 2 has stopped",
    acts=lambda site: [pause(site.worker(2))],
    must={"P1-mesh-2-same": "node-down", "S2-2": "node-down"},
    may=("*",),
    beside=("P1-mesh-1-same", "C2-app", "S9-force"),
    cause="node_down",
    on=worker(2),
    claims=("P1", "S2"),
    symptom="Many things are slow or silent at once.",
    hints=(
        "Red claims in every lab: what do the silent peers have in common?",
        "kubectl get nodes -o wide, and where the Pods run that do not answer.",
        "docker ps: what does it say of each node's container?",
    ),
)
