"""A container that does not start: its Pod is not ready, and the port is free."""

from scripts.evidence.view import View
from scripts.fault._acts import NOWHERE, image
from scripts.fault._base import Fault


def _ready(view: View) -> bool:
    namespace = view.namespace("container-to-container")
    return any(pod.ready for pod in view.snapshot.pods if pod.namespace == namespace)


FAULT = Fault(
    what="the container webapp of the article's Pod does not start, for lack of its image",
    acts=lambda site: [
        image(site, site.view.namespace("container-to-container"), "frontend", "webapp", NOWHERE)
    ],
    must={"C1": "", "C2-app": "", "C2-pod": "", "C3": "", "C4-alive": ""},
    may=("C*",),
    beside=("S6-?-80",),
    cause="pod_not_ready",
    felt=lambda view: not _ready(view),
    claims=("C1", "C2", "C3", "C4"),
    changes_rules=True,
    symptom="The Pod of the first lab is there, but only half of it.",
    hints=(
        "Claim C2 is red: which of the two containers does not answer?",
        "kubectl -n podpath-container-to-container get pod frontend: how many of its containers are ready?",
        "kubectl describe says why the kubelet cannot start it.",
    ),
)
