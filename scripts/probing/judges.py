"""How each expectation about an answer is judged. A new expectation registers its judge with ``judge``.

An answer counts only if both sides agree: the nonce is the request's, the Pod that claims to have
answered is one that the API knows there, and it names its own node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import singledispatch

from labs import model
from scripts.probing.chance import evenness
from scripts.probing.curl import Answer
from scripts.probing.observation import Observation
from scripts.probing.snapshot import PodInfo
from scripts.probing.verdict import (
    PASSED,
    Failure,
    Finding,
    Verdict,
    combined,
    failed,
    inconclusive,
)
from scripts.probing.view import MissingPeer

LEAST_EXPECTED = 5
"""Answers a bin must expect before the chi-squared test means anything (Cochran's rule)."""

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


@judge.register
def _(expected: model.AnsweredBy, seen: Observation) -> Finding:
    return each(seen, lambda answer: answered_by(expected, seen, answer))


def answered_by(expected: model.AnsweredBy, seen: Observation, answer: Answer) -> Finding:
    """Whether this very answer comes from the workload, by all that both sides and the API say."""
    if answer.exitcode:
        return failure_of(answer)
    if answer.status != 200:
        return failed(Failure.WRONG_STATUS, f"HTTP status {answer.status} instead of 200")
    return echoed(answer) or _who(expected, seen, answer) or _where(seen, answer) or PASSED


def echoed(answer: Answer) -> Finding | None:
    """A finding if the answer is not to this very request."""
    nonce = answer.server.get(model.HEADER_NONCE)
    if nonce == answer.nonce:
        return None
    said = f"the nonce {nonce}" if nonce else "no nonce"
    return failed(Failure.WRONG_NONCE, f"the answer carries {said}: it is not the answer to this request")


def _who(expected: model.AnsweredBy, seen: Observation, answer: Answer) -> Finding | None:
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


def _where(seen: Observation, answer: Answer) -> Finding | None:
    """A finding if the connection ended at another address than the one asked."""
    target = seen.step.work.target
    if target and target.ips and answer.remote != (answer.remote[0], target.port):
        return failed(Failure.WRONG_ADDRESS, f"connected to port {answer.remote[1]}, not {target.port}")
    if target and target.ips and answer.remote[0] not in target.ips:
        return failed(Failure.WRONG_ADDRESS, f"connected to {answer.remote[0]}, not {', '.join(target.ips)}")
    return None


@judge.register
def _(expected: model.SeesSource, seen: Observation) -> Finding:
    return each(seen, lambda answer: _sees(expected, seen, answer))


def _sees(expected: model.SeesSource, seen: Observation, answer: Answer) -> Finding:
    if answer.exitcode:
        return failure_of(answer)
    own = "{}:{}".format(*answer.local)
    peer = answer.server.get(model.HEADER_PEER, "nothing")
    if peer != own:
        return failed(Failure.WRONG_SOURCE, f"the server saw {peer}, the client sent from {own}")
    if expected.address == "own":
        ip = seen.step.place.ip
        if ip and answer.local[0] != ip:
            return failed(Failure.WRONG_SOURCE, f"the client sent from {answer.local[0]}, its Pod has {ip}")
        return PASSED
    if not _loopback(peer):
        return failed(Failure.WRONG_SOURCE, f"the server saw {peer}, no loopback address")
    if entries := seen.entries(answer):
        return failed(Failure.WRONG_SOURCE, f"the connection left the Pod: node {entries[0][0]} tracked it")
    return PASSED


def _loopback(peer: str) -> bool:
    return peer.startswith(("127.", "[::1]"))


@judge.register
def _(expected: model.UpstreamSees, seen: Observation) -> Finding:
    def one(answer: Answer) -> Finding:
        peer = answer.server.get(model.HEADER_UPSTREAM_PEER, "")
        if answer.exitcode:
            return failure_of(answer)
        if not _loopback(peer):
            return failed(
                Failure.WRONG_SOURCE, f"the application saw {peer or 'nobody'}, no loopback address"
            )
        return PASSED

    return each(seen, one)


@judge.register(model.NoAnswer)
@judge.register(model.Refused)
def _(expected: model.NoAnswer | model.Refused, seen: Observation) -> Finding:
    """curl 7.88 does not tell a reset from an unreachable host: both are its exit 7."""
    accepted = (7,) if isinstance(expected, model.Refused) else (7, 28)

    def one(answer: Answer) -> Finding:
        if answer.connected or answer.status:
            who = answer.server.get(model.HEADER_POD, "somebody without an identity")
            said = f"{who} answered with status {answer.status}" if answer.status else "something accepted"
            return failed(Failure.UNEXPECTED_ANSWER, f"{said} at {answer.remote[0]}:{answer.remote[1]}")
        if answer.exitcode in accepted:
            return PASSED
        finding = failure_of(answer)
        kind = finding.failure or Failure.NO_ANSWER
        settled = isinstance(expected, model.Refused) and kind is Failure.TIMED_OUT
        return finding if settled else inconclusive(kind, finding.why)

    return each(seen, one)


@judge.register
def _(expected: model.NameUnknown, seen: Observation) -> Finding:
    def one(answer: Answer) -> Finding:
        if answer.exitcode == 6:
            return PASSED
        if answer.connected or answer.exitcode == 7:
            return failed(
                Failure.UNEXPECTED_ANSWER, f"the name resolves, to {answer.remote[0] or 'an address'}"
            )
        return inconclusive(Failure.NO_ANSWER, failure_of(answer).why)

    return each(seen, one)


@judge.register
def _(expected: model.Status, seen: Observation) -> Finding:
    def one(answer: Answer) -> Finding:
        if answer.exitcode:
            return failure_of(answer)
        pod = answer.server.get(model.HEADER_POD)
        if not expected.backend and pod:
            return failed(Failure.WRONG_RESPONDER, f"the backend {pod} answered, with status {answer.status}")
        if answer.status != expected.code:
            return failed(Failure.WRONG_STATUS, f"HTTP status {answer.status} instead of {expected.code}")
        return (expected.backend and echoed(answer)) or _where(seen, answer) or PASSED

    return each(seen, one)


@judge.register
def _(expected: model.Connects, seen: Observation) -> Finding:
    return each(seen, lambda answer: PASSED if answer.connected else failure_of(answer))


@judge.register
def _(expected: model.Advertised, seen: Observation) -> Finding:
    target, exported = seen.step.work.target, seen.view.exports.get("frontendIp")
    advertised = target.service.balancer_ips if target and target.service else ()
    if exported not in advertised:
        why = f"the Service advertises {', '.join(advertised)}, the stack exports frontendIp {exported}"
        return failed(Failure.WRONG_ADDRESS, why)
    return each(seen, lambda a: failure_of(a) if a.exitcode else _where(seen, a) or PASSED)


@judge.register
def _(expected: model.Balanced, seen: Observation) -> Finding:
    target = seen.step.work.target
    if target is None or target.service is None:
        return inconclusive(Failure.NO_JUDGE, "only requests to a Service are balanced")
    for answer in seen.answers:
        if answer.exitcode:
            return failure_of(answer)
        wrong = echoed(answer) or _workload(expected, seen, answer) or _where(seen, answer)
        if wrong:
            return wrong
    counts = Counter(answer.server[model.HEADER_POD] for answer in seen.answers)
    behind = sorted({endpoint.pod for endpoint in seen.view.endpoints(target.lab, target.service.name)})
    return even({pod: counts[pod] for pod in behind}, expected.false_alarm)


def _workload(expected: model.Balanced, seen: Observation, answer: Answer) -> Finding | None:
    container = answer.server.get(model.HEADER_CONTAINER, "")
    return _who(model.AnsweredBy(expected.lab, expected.workload, container), seen, answer)


def even(counts: dict[str, int], false_alarm: float) -> Finding:
    """Whether every Pod got a share that chance explains, at this rate of false alarms."""
    total, told = sum(counts.values()), ", ".join(f"{pod} {count}" for pod, count in counts.items())
    if len(counts) < 2:
        return inconclusive(Failure.NOT_BALANCED, f"{len(counts)} Pods leave nothing to balance")
    if total < LEAST_EXPECTED * len(counts):
        return inconclusive(Failure.NOT_BALANCED, f"{total} answers are too few for {len(counts)} Pods")
    chance = evenness([*counts.values()])
    if chance < false_alarm:
        return failed(
            Failure.NOT_BALANCED,
            f"of {total} answers: {told}; chance does that once in {1 / max(chance, 1e-12):.0f}",
        )
    return Finding(Verdict.PASSED, None, "")
