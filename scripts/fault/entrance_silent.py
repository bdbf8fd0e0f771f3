"""The container behind an Ingress has stopped."""

from scripts.fault._acts import pause
from scripts.fault._base import Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    namespace = site.view.namespace("ingress-l7")
    return [pause(site.container(site.view.snapshot.ingresses[namespace, "frontend"][0]))]


FAULT = Fault(
    what="the load balancer of the Ingress frontend has stopped",
    acts=_acts,
    must={"I7-*": "", "I8-*": "", "I9-*": "", "I10-*": "", "I11": "rests-on"},
    beside=("I6-*", "I5-local"),
    cause="balancer_silent",
    claims=("I7", "I8", "I9", "I10", "I11"),
    symptom="No host name of the Ingress is served.",
    hints=(
        "Claims I7 to I11 are red at once, I12 is not: what do the two not share?",
        "Who has the address that the Ingress advertises?",
        "docker ps: what does it say of that container?",
    ),
)
