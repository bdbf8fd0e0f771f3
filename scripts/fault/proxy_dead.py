"""One node has no kube-proxy."""

from scripts.evidence.view import View
from scripts.fault._acts import without_pod
from scripts.fault._base import Fault, worker


def _running(view: View) -> int:
    return sum(pod.labels.get("k8s-app") == "kube-proxy" for pod in view.snapshot.pods)


FAULT = Fault(
    what="kube-proxy does not run on worker 1",
    acts=lambda site: [without_pod(site, "kube-system", "kube-proxy", site.worker(1))],
    must={"S9-force": "missing-peer", "S3": "rests-on", "S5": "rests-on"},
    may=("S1", "S7-*", "S9-*"),
    cause="proxy_dead",
    felt=lambda view: _running(view) < len(view.snapshot.nodes),
    on=worker(1),
    claims=("S3", "S5", "S9"),
    changes_rules=True,
    symptom="Services answer, but one node does not hear of their changes.",
    hints=(
        "Claim S9 is open: kube-proxy says its mode on every node but one.",
        "kubectl -n kube-system get pods -o wide: is there a kube-proxy on each node?",
        "kubectl -n kube-system get daemonset kube-proxy -o yaml: where may it run?",
    ),
)
