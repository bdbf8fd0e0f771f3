"""The kube-proxy of one node is stopped: the node's rules stay as they are."""

from scripts.fault._acts import signal
from scripts.fault._base import Fault, worker

FAULT = Fault(
    what="kube-proxy on worker 1 is stopped",
    acts=lambda site: [signal(site.worker(1), "kube-proxy")],
    must={"S9-force": "no-answer", "S1": "rests-on", "S3": "rests-on", "S5": "rests-on", "S7-*": "rests-on"},
    may=("S9-*",),
    cause="proxy_frozen",
    on=worker(1),
    claims=("S1", "S3", "S5", "S7", "S9"),
    symptom="Everything answers, but changes of Services do not arrive everywhere.",
    hints=(
        "Claim S5 says that kube-proxy follows: does it, on each node?",
        "kube-proxy tells its mode at 127.0.0.1:10249 of its node: which one says nothing?",
        "Look at the state of the process on that node: ps -o stat,comm -C kube-proxy.",
    ),
)
