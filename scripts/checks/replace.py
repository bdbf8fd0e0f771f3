"""A Pod of a Service is replaced while its address stays (claim S1)."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.checks.base import Observation, Scenario, Stage, Work, by_pod
from scripts.checks.destinations import Service
from scripts.checks.membership import one_pod_a_client
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive
from scripts.evidence import curl
from scripts.evidence.identity import HEADER_POD
from scripts.evidence.snapshot import PodInfo, pod_of, service_of
from scripts.evidence.view import NotHere, View
from scripts.transport.executor import Place
from scripts.waiting import TIMEOUTS, Late, eventually


@dataclass(frozen=True)
class Replacement:
    """What was there before and after; ``problem`` says what did not come in time, ``on_its_way`` which new
    Pod there is that is not ready yet."""

    cluster_ip_before: str
    cluster_ip_after: str
    old_pod: str
    new_pod: str
    new_ip: str
    problem: str = ""
    on_its_way: str = ""


@dataclass(frozen=True)
class Replace(Scenario):
    """Deletes one Pod of a workload and asks its Service again once another has taken its place."""

    lab: str
    workload: str
    service: str
    port: int

    def __str__(self) -> str:
        return f"Service {self.service} again after one Pod of {self.workload} was replaced"

    @property
    def expected(self) -> str:
        """The clusterIP is unchanged, and the new Pod answers on it."""
        return "the same clusterIP, and the new Pod answers on it"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The requests are sent by the scenario."""
        service = view.service(self.lab, self.service)
        one_pod_a_client(service)
        if service.local:
            raise NotHere(
                f"Service {self.service} has internalTrafficPolicy Local: the new Pod may be elsewhere"
            )
        view.pods(self.lab, self.workload)
        return Work(target=Service(self.lab, self.service, self.port).target(place, view))

    def play(self, stage: Stage) -> Observation:
        """Deletes the Pod, waits for its successor, and asks."""
        view, api = stage.view, stage.api
        namespace = view.namespace(self.lab)
        behind = {endpoint.pod for endpoint in view.endpoints(self.lab, self.service)}
        old = next(pod for pod in view.pods(self.lab, self.workload) if pod.name in behind)
        known = {pod.uid for pod in view.snapshot.pods if pod.namespace == namespace}
        api.delete(f"/api/v1/namespaces/{namespace}/pods/{old.name}", gracePeriodSeconds="1")
        answers: curl.Answers = ()
        name = ip = problem = on_its_way = ""
        try:
            new = eventually(
                lambda: self._successor(stage, old, known),
                TIMEOUTS.successor,
                f"a Pod to replace {old.name} among the endpoints of {self.service}",
            )
            name, ip = new.name, new.ip
            answers = eventually(
                lambda: _answered(stage, new.name), TIMEOUTS.successor, f"an answer from {new.name}"
            )
        except Late as late:
            problem, on_its_way = str(late), "" if name else _unready(stage, namespace, known)
        after = service_of(api.get(f"/api/v1/namespaces/{namespace}/services/{self.service}")).cluster_ip
        before = view.service(self.lab, self.service).cluster_ip
        facts = Replacement(before, after, f"{old.name} {old.ip}", name, ip, problem, on_its_way)
        return Observation(stage.step, view, answers=answers, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """By the address of before and after, and by who answered on it."""
        facts: Replacement = seen.facts
        if facts.cluster_ip_before != facts.cluster_ip_after:
            why = f"the clusterIP was {facts.cluster_ip_before} and is {facts.cluster_ip_after}"
            return failed(Failure.WRONG_ADDRESS, why)
        if facts.on_its_way:
            why = f"{facts.problem.rstrip('.')}: {facts.on_its_way} is there and not ready yet"
            return inconclusive(Failure.NOT_REPLACED, why)
        if facts.problem:
            return failed(Failure.NOT_REPLACED, facts.problem)
        hits = [answer for answer in seen.answers if answer.server.get(HEADER_POD) == facts.new_pod]
        if not hits:
            why = f"the new Pod {facts.new_pod} did not answer on the clusterIP"
            return failed(Failure.NOT_REPLACED, why)
        if any(answer.remote[0] != facts.cluster_ip_before for answer in hits):
            return failed(Failure.WRONG_ADDRESS, "the new Pod answered at another address")
        return PASSED

    def _successor(self, stage: Stage, old: PodInfo, known: set[str]) -> PodInfo | None:
        """The new ready Pod, once the Service has it and no longer has the old one."""
        behind = {endpoint.pod for endpoint in stage.endpoints(self.lab, self.service) if endpoint.ready}
        listed = stage.api.get(f"/api/v1/namespaces/{old.namespace}/pods")["items"]
        pods = {pod.name: pod for pod in map(pod_of, listed)}
        if old.name in behind and (old.name not in pods or pods[old.name].uid == old.uid):
            return None
        ready = (pod for pod in pods.values() if pod.name in behind and pod.ready)
        return next((pod for pod in ready if pod.uid not in known), None)


def _unready(stage: Stage, namespace: str, known: set[str]) -> str:
    """A Pod that was made since the run began and is not ready yet, or an empty text."""
    pods = map(pod_of, stage.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"])
    return next((f"{pod.name} on {pod.node}" for pod in pods if pod.uid not in known and not pod.ready), "")


def _answered(stage: Stage, pod: str) -> curl.Answers | None:
    """A burst of answers with the Pod among them, or None."""
    answers = stage.burst()
    return answers if by_pod(answers, pod) else None
