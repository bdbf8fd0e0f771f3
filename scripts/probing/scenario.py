"""Probes that change the cluster: each runs alone, after all others. New ones register with ``play``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import singledispatch

from labs import model
from scripts.errors import PodpathError
from scripts.probing import curl
from scripts.probing.cluster import Api
from scripts.probing.executor import CompletedExec, Executor
from scripts.probing.observation import Observation
from scripts.probing.plan import Step
from scripts.probing.snapshot import PodInfo, endpoints_of, pod_of, service_of
from scripts.probing.view import View
from scripts.waiting import TIMEOUTS, eventually

BURST = 20
"""Requests of one exec: three Pods leave the new one out of all of them once in 3,300 bursts."""

Raw = Callable[[str, CompletedExec], None]


@singledispatch
def play(ask: object, step: Step, view: View, api: Api, execute: Executor, raw: Raw) -> Observation:
    """Plays a scenario to its end and tells what was seen; raises PodExecError and PodpathError."""
    raise TypeError(f"no scenario is known for a {type(ask).__name__}")


def is_scenario(ask: object) -> bool:
    """Whether the ask changes the cluster."""
    return play.dispatch(type(ask)) is not play.dispatch(object)


@play.register
def _(ask: model.Replace, step: Step, view: View, api: Api, execute: Executor, raw: Raw) -> Observation:
    namespace = view.namespace(ask.lab)
    before = view.service(ask.lab, ask.service).cluster_ip
    old = _victim(view, ask)
    facts = {"clusterIP before": before, "old Pod": f"{old.name} {old.ip}", "new Pod": ""}
    known = {pod.uid for pod in view.snapshot.pods if pod.namespace == namespace}
    api.delete(f"/api/v1/namespaces/{namespace}/pods/{old.name}", gracePeriodSeconds="1")
    answers: tuple[curl.Answer, ...] = ()
    try:
        new = eventually(
            lambda: _successor(api, namespace, ask.service, old, known),
            TIMEOUTS.replace,
            f"a Pod in the place of {old.name} among the endpoints of {ask.service}",
        )
        facts["new Pod"], facts["new IP"] = new.name, new.ip
        answers = eventually(
            lambda: _answered(step, execute, raw, new.name), TIMEOUTS.replace / 4, f"an answer of {new.name}"
        )
    except PodpathError as late:
        facts["problem"] = str(late)
    service = service_of(api.get(f"/api/v1/namespaces/{namespace}/services/{ask.service}"))
    facts["clusterIP after"] = service.cluster_ip
    return Observation(step, view, answers=answers, facts=facts)


def _victim(view: View, ask: model.Replace) -> PodInfo:
    behind = {endpoint.pod for endpoint in view.endpoints(ask.lab, ask.service)}
    return next(pod for pod in view.pods(ask.lab, ask.workload) if pod.name in behind)


def _successor(api: Api, namespace: str, service: str, old: PodInfo, known: set[str]) -> PodInfo | None:
    """The new ready Pod, once the Service has it and no longer has the old one."""
    slices = api.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")["items"]
    behind = {e.pod for e in endpoints_of(slices).get((namespace, service), ()) if e.ready}
    pods = {pod.name: pod for pod in map(pod_of, api.get(f"/api/v1/namespaces/{namespace}/pods")["items"])}
    if old.name in behind and (old.name not in pods or pods[old.name].uid == old.uid):
        return None
    ready = (pod for pod in pods.values() if pod.name in behind and pod.ready)
    return next((pod for pod in ready if pod.uid not in known), None)


def _answered(step: Step, execute: Executor, raw: Raw, pod: str) -> tuple[curl.Answer, ...] | None:
    """A burst of answers with the Pod among them, or None."""
    target = step.work.target
    assert target is not None
    mark = secrets.token_hex(4)
    url = target.url("http", "/whoami")
    requests = [curl.Request(f"{step.probe.id}.{mark}.{n}", url) for n in range(BURST)]
    done = execute(step.place, curl.argv(), curl.render(requests), TIMEOUTS.exec)
    raw(f"{step.probe.id}-{mark}", done)
    parsed = curl.parse(done.stdout, requests).values()
    answers = tuple(
        a for a in parsed if isinstance(a, curl.Answer) and a.server.get(model.HEADER_NONCE) == a.nonce
    )
    return answers if any(answer.server.get(model.HEADER_POD) == pod for answer in answers) else None
