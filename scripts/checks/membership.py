"""A spare Pod joins a Service by its label and leaves it again: what the checks of S3, S5 and S7 share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from scripts.checks.base import Scenario, Stage, Work
from scripts.checks.destinations import Service
from scripts.evidence.snapshot import PodInfo, ServiceInfo
from scripts.evidence.view import NotHere, View
from scripts.transport.executor import Place
from scripts.waiting import TIMEOUTS, eventually

LABEL = "app"
HTTP = 80


def one_pod_a_client(service: ServiceInfo) -> None:
    """Raises NotHere for a Service that keeps each client at one Pod: the others cannot be seen."""
    if service.sticky:
        raise NotHere(f"Service {service.name} has sessionAffinity ClientIP: a client is kept at one Pod")


@dataclass(frozen=True)
class Joining(Scenario):
    """A scenario in which a spare Pod joins a Service and leaves it."""

    lab: str
    spare: str
    service: str

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario; raises NotHere where the Service cannot show the Pod."""
        joined, (pod, *_) = view.service(self.lab, self.service), view.pods(self.lab, self.spare)
        one_pod_a_client(joined)
        if joined.local and pod.node != place.node:
            raise NotHere(
                f"Service {self.service} has internalTrafficPolicy Local, "
                f"and {self.spare} is not on {place.node}"
            )
        return Work(target=Service(self.lab, self.service, HTTP).target(place, view))


def member(stage: Stage, pod: PodInfo, service: str) -> AbstractContextManager[int]:
    """While the block runs the Pod has the Service's label, after it no more, whatever ended the block.

    Gives the moment before the change, in nanoseconds since 1970.
    """
    change = {"metadata": {"labels": {LABEL: service}}}
    return stage.patched(path_of(pod), change, f"label {LABEL} of Pod {pod.name}")


def path_of(pod: PodInfo) -> str:
    """Where the API server has a Pod."""
    return f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"


def spare_of(stage: Stage, lab: str, name: str) -> PodInfo:
    """The spare Pod, outside the Service."""
    return stage.view.pods(lab, name)[0]


def listed(stage: Stage, lab: str, service: str, pod: PodInfo, ready: bool) -> None:
    """Returns once the Pod is, or is no longer, among the Service's ready endpoints; raises Late."""
    state = "among" if ready else "gone from"
    eventually(
        lambda: any(e.ip == pod.ip and e.ready for e in stage.endpoints(lab, service)) is ready,
        TIMEOUTS.follow,
        f"{pod.name} to be {state} the endpoints of {service}",
    )
