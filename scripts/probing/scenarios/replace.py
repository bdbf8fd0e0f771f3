"""A Pod of a Service is replaced while its address stays (claim S1)."""

from __future__ import annotations

from labs import model
from scripts.probing import curl
from scripts.probing.observation import Observation
from scripts.probing.scenarios.stage import Stage, by_pod, play
from scripts.probing.snapshot import PodInfo, pod_of, service_of
from scripts.waiting import TIMEOUTS, Late, eventually


@play.register
def _(ask: model.Replace, stage: Stage) -> Observation:
    view, api = stage.view, stage.api
    namespace = view.namespace(ask.lab)
    before = view.service(ask.lab, ask.service).cluster_ip
    old = _victim(stage, ask)
    facts = {"clusterIP before": before, "old Pod": f"{old.name} {old.ip}", "new Pod": ""}
    known = {pod.uid for pod in view.snapshot.pods if pod.namespace == namespace}
    api.delete(f"/api/v1/namespaces/{namespace}/pods/{old.name}", gracePeriodSeconds="1")
    answers: curl.Answers = ()
    try:
        new = eventually(
            lambda: _successor(stage, ask, old, known),
            TIMEOUTS.replace,
            f"a Pod in the place of {old.name} among the endpoints of {ask.service}",
        )
        facts["new Pod"], facts["new IP"] = new.name, new.ip
        answers = eventually(
            lambda: _answered(stage, new.name), TIMEOUTS.replace / 4, f"an answer of {new.name}"
        )
    except Late as late:
        facts["problem"] = str(late)
    service = service_of(api.get(f"/api/v1/namespaces/{namespace}/services/{ask.service}"))
    facts["clusterIP after"] = service.cluster_ip
    return Observation(stage.step, view, answers=answers, facts=facts)


def _victim(stage: Stage, ask: model.Replace) -> PodInfo:
    behind = {endpoint.pod for endpoint in stage.view.endpoints(ask.lab, ask.service)}
    return next(pod for pod in stage.view.pods(ask.lab, ask.workload) if pod.name in behind)


def _successor(stage: Stage, ask: model.Replace, old: PodInfo, known: set[str]) -> PodInfo | None:
    """The new ready Pod, once the Service has it and no longer has the old one."""
    behind = {endpoint.pod for endpoint in stage.endpoints(ask.lab, ask.service) if endpoint.ready}
    listed = stage.api.get(f"/api/v1/namespaces/{old.namespace}/pods")["items"]
    pods = {pod.name: pod for pod in map(pod_of, listed)}
    if old.name in behind and (old.name not in pods or pods[old.name].uid == old.uid):
        return None
    ready = (pod for pod in pods.values() if pod.name in behind and pod.ready)
    return next((pod for pod in ready if pod.uid not in known), None)


def _answered(stage: Stage, pod: str) -> curl.Answers | None:
    """A burst of answers with the Pod among them, or None."""
    answers = stage.burst()
    return answers if by_pod(answers, pod) else None
