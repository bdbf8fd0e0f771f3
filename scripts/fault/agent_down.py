"""One node has no node-agent: nobody can read what its kernel knows."""

from scripts.fault._acts import without_pod
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="no node-agent runs on worker 1",
    acts=lambda site: [without_pod(site, "podpath-system", "node-agent", site.worker(1))],
    must={"P2-client-1": "", "S4": ""},
    may=("*",),
    beside=("C2-app", "I7-shop"),
    cause="agent_down",
    felt=lambda view: view.snapshot.workers[0].name not in view.agents(),
    on=worker(1),
    claims=("P2", "S4"),
    symptom="Requests are answered, and yet many probes say that they cannot tell.",
    hints=(
        "Open and not red: which kind of evidence is missing?",
        "kubectl -n podpath-system get pods -o wide: is there an agent on each node?",
        "kubectl -n podpath-system get daemonset node-agent -o yaml: where may it run?",
    ),
)
