"""What all judges share: the registry, and how a single answer is looked at.

An answer counts only if both sides agree: the nonce is the request's, the Pod that claims to have
answered is one that the API knows there, and it names its own node.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from labs import model
from scripts.probing.curl import Answer
from scripts.probing.observation import Observation
from scripts.probing.snapshot import PodInfo
from scripts.probing.verdict import Failure, Finding, combined, failed, inconclusive
from scripts.probing.view import MissingPeer

CURL_FAILURES = {6: Failure.NAME_UNKNOWN, 7: Failure.REFUSED, 28: Failure.TIMED_OUT}


@singledispatch
def judge(expected: object, seen: Observation) -> Finding:
    """What ``expected`` comes to in the light of what was seen."""
    return inconclusive(Failure.NO_JUDGE, f"no judge is known for {type(expected).__name__}")


def each(seen: Observation, one: Callable[[Answer], Finding]) -> Finding:
    """The worst finding over all answers."""
    if not seen.answers:
        return inconclusive(Failure.LOST_EXIT_CODE, "there is no answer to judge")
    return combined(map(one, seen.answers))


def failure_of(answer: Answer) -> Finding:
    """A failed transfer, in curl's own words."""
    kind = CURL_FAILURES.get(answer.exitcode, Failure.NO_ANSWER)
    return failed(kind, f"{answer.error} (curl exit {answer.exitcode})")


def echoed(answer: Answer) -> Finding | None:
    """A finding if the answer is not to this very request."""
    nonce = answer.server.get(model.HEADER_NONCE)
    if nonce == answer.nonce:
        return None
    said = f"the nonce {nonce}" if nonce else "no nonce"
    return failed(Failure.WRONG_NONCE, f"the answer carries {said}: it is not the answer to this request")


def identity(expected: model.AnsweredBy, seen: Observation, answer: Answer) -> Finding | None:
    """A finding if the Pod, its node or its container is not an expected one."""
    try:
        pods = {pod.name: pod for pod in seen.view.pods(expected.lab, expected.workload)}
    except MissingPeer as reason:
        return failed(Failure.MISSING_PEER, str(reason))
    said = answer.server.get(model.HEADER_POD, "")
    pod = pods.get(said)
    if pod is None:
        who = said or "somebody without an identity"
        return failed(Failure.WRONG_RESPONDER, f"{who} answered, not one of {', '.join(pods)}")
    node = answer.server.get(model.HEADER_NODE)
    if node and node != pod.node:
        return failed(Failure.WRONG_RESPONDER, f"{said} says it runs on {node}, the API says on {pod.node}")
    container = answer.server.get(model.HEADER_CONTAINER)
    if container != expected.container:
        return failed(Failure.WRONG_RESPONDER, f"container {container} answered, not {expected.container}")
    return _behind(seen, pod)


def _behind(seen: Observation, pod: PodInfo) -> Finding | None:
    """A finding if the API does not have this Pod behind what was asked."""
    target = seen.step.work.target
    if target and target.pod and target.pod.uid != pod.uid:
        return failed(Failure.WRONG_RESPONDER, f"{pod.name} answered at the IP of {target.pod.name}")
    if target and target.service:
        behind = {endpoint.pod for endpoint in seen.view.endpoints(target.lab, target.service.name)}
        if pod.name not in behind:
            why = f"{pod.name} answered, which is no ready endpoint of {target.service.name}"
            return failed(Failure.WRONG_RESPONDER, why)
    return None


def reached(seen: Observation, answer: Answer) -> Finding | None:
    """A finding if the connection ended at another address than the one asked."""
    target = seen.step.work.target
    if target and target.ips and answer.remote != (answer.remote[0], target.port):
        return failed(Failure.WRONG_ADDRESS, f"connected to port {answer.remote[1]}, not {target.port}")
    if target and target.ips and answer.remote[0] not in target.ips:
        return failed(Failure.WRONG_ADDRESS, f"connected to {answer.remote[0]}, not {', '.join(target.ips)}")
    return None
