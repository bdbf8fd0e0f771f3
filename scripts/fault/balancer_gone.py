"""A load balancer whose container has stopped."""

from scripts.fault._acts import stop
from scripts.fault._base import Fault

FAULT = Fault(
    what="the load balancer of the Service frontend has stopped",
    acts=lambda site: [stop(site.container(site.view.service("pod-to-service", "frontend").balancer_ips[0]))],
    must={"I1": "", "I2-80": "", "I2-8080": ""},
    may=(),
    beside=("I5-local", "I6-*", "S6-1-80"),
    cause="balancer_gone",
    claims=("I1", "I2"),
    symptom="From outside, one Service does not answer at its own address.",
    hints=(
        "The node ports of claim I6 answer: which part of the way is left?",
        "Who has the address that the Service advertises?",
        "docker ps --all: what does it say of that container?",
    ),
)
