"""What all scenarios share: the registry, what one is given, and a burst of requests.

A scenario is a probe that takes time or changes the cluster. One that changes it runs alone, restores
what it changed also when it is interrupted, and starts by undoing what an interrupted one may have left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatch

from labs import model
from scripts.evidence.agent import Kernel
from scripts.probing import curl
from scripts.probing.cluster import Api
from scripts.probing.executor import CompletedExec, Executor
from scripts.probing.observation import Observation
from scripts.probing.places import Target
from scripts.probing.plan import Step, requests_to
from scripts.probing.snapshot import Endpoint, endpoints_of
from scripts.probing.view import View
from scripts.waiting import TIMEOUTS

BURST = 20
"""Requests that meet a Pod which is there: three others leave it out of all of them once in 300 bursts."""
SURE = 60
"""Requests that miss a Pod only if it is gone: three others leave it out of these once in 30 million."""


@dataclass(frozen=True)
class Stage:
    """What a scenario plays on. ``before`` is the kernels' view from the run's start."""

    step: Step
    view: View
    api: Api
    execute: Executor
    raw: Callable[[str, CompletedExec], None]
    before: Kernel = field(default_factory=Kernel)

    @property
    def target(self) -> Target:
        """What the probe asks."""
        assert self.step.work.target is not None
        return self.step.work.target

    def burst(
        self, times: int = BURST, path: str = "/whoami", total: float = TIMEOUTS.request
    ) -> curl.Answers:
        """Requests from the probe's source to its target, each over a connection of its own.

        What cannot be believed is left out; raises PodExecError.
        """
        requests = requests_to(self.target, self.step.probe.id, path, times=times, total=total)
        done = self.execute(self.step.place, curl.argv(), curl.render(requests), TIMEOUTS.exec)
        self.raw(requests[0].nonce, done)
        parsed = curl.parse(done.stdout, requests).values()
        return tuple(answer for answer in parsed if isinstance(answer, curl.Answer))

    def endpoints(self, lab: str, service: str) -> tuple[Endpoint, ...]:
        """The Service's endpoints as the API has them now, ready or not."""
        namespace = self.view.namespace(lab)
        slices = self.api.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")["items"]
        return endpoints_of(slices).get((namespace, service), ())


def by_pod(answers: curl.Answers, pod: str) -> int:
    """How many answers to these very requests came from a Pod."""
    return sum(
        answer.server.get(model.HEADER_POD) == pod and answer.server.get(model.HEADER_NONCE) == answer.nonce
        for answer in answers
    )


def absent(answers: curl.Answers, pod: str) -> bool:
    """Whether there are answers, and none came from a Pod."""
    return bool(answers) and not by_pod(answers, pod)


@singledispatch
def play(ask: object, stage: Stage) -> Observation:
    """Plays a scenario to its end and tells what was seen; raises PodExecError and PodpathError."""
    raise TypeError(f"no scenario is known for a {type(ask).__name__}")


def is_scenario(ask: object) -> bool:
    """Whether the ask is played and not simply asked."""
    return play.dispatch(type(ask)) is not play.dispatch(object)


def runs_alone(ask: object) -> bool:
    """Whether the ask changes the cluster, so that nothing else may run beside it."""
    return is_scenario(ask) and not isinstance(ask, model.Sample)
