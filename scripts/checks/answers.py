"""Expectations of who answers a request, or that nobody does.

An answer counts only if both sides agree: the nonce is the request's, the Pod that claims to have answered is
one that the API knows there, and it names its own node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from scripts.checks.base import Observation
from scripts.checks.request import Expectation, each_answer, echoed, failure_of, reached, succeeded
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive, passed, skipped
from scripts.evidence.curl import Answer
from scripts.evidence.identity import HEADER_CONTAINER, HEADER_NODE, HEADER_PEER, HEADER_POD
from scripts.evidence.snapshot import PodInfo
from scripts.evidence.view import MissingPeer

NOBODY = "a server without an identity"


@dataclass(frozen=True)
class AnsweredBy(Expectation):
    """A Pod of the workload answered, in this container, and says so under the request's nonce."""

    dual: ClassVar[bool] = True

    lab: str
    workload: str
    container: str

    def __str__(self) -> str:
        return f"answered by {self.workload}/{self.container}"

    def judge(self, seen: Observation) -> Finding:
        """By what both sides and the API say."""
        return each_answer(seen, lambda answer: self.answered(seen, answer))

    def answered(self, seen: Observation, answer: Answer) -> Finding:
        """Whether this answer comes from the workload."""
        return (
            succeeded(seen, answer)
            or echoed(answer)
            or self._identity(seen, answer)
            or reached(seen, answer)
            or PASSED
        )

    def _identity(self, seen: Observation, answer: Answer) -> Finding | None:
        """A finding if the Pod, its node or its container is not the expected one."""
        try:
            pods = {pod.name: pod for pod in seen.view.pods(self.lab, self.workload)}
        except MissingPeer as reason:
            return failed(Failure.MISSING_PEER, str(reason))
        said = answer.server.get(HEADER_POD, "")
        pod = pods.get(said)
        if pod is None:
            who = said or NOBODY
            return failed(Failure.WRONG_RESPONDER, f"{who} answered, not one of {', '.join(pods)}")
        return _in_place(answer, pod, self.container) or _behind(seen, pod)


@dataclass(frozen=True)
class AnsweredThere(Expectation):
    """The very Pod that is asked answered, in this container, and says so under the request's nonce."""

    dual: ClassVar[bool] = True

    container: str

    def __str__(self) -> str:
        return f"answered by that Pod's {self.container}"

    def judge(self, seen: Observation) -> Finding:
        """By what both sides and the API say."""
        assert seen.step.work.target is not None and seen.step.work.target.pod is not None
        pod = seen.step.work.target.pod

        def one(answer: Answer) -> Finding:
            if finding := succeeded(seen, answer) or echoed(answer):
                return finding
            said = answer.server.get(HEADER_POD) or NOBODY
            if said != pod.name:
                return failed(Failure.WRONG_RESPONDER, f"{said} answered at the IP of {pod.name}")
            return _in_place(answer, pod, self.container) or reached(seen, answer) or PASSED

        return each_answer(seen, one)


def _in_place(answer: Answer, pod: PodInfo, container: str) -> Finding | None:
    """A finding if the Pod names another node than the API does, or another container answered."""
    node = answer.server.get(HEADER_NODE)
    if node and node != pod.node:
        why = f"{pod.name} says it runs on {node}, the API says on {pod.node}"
        return failed(Failure.WRONG_RESPONDER, why)
    said = answer.server.get(HEADER_CONTAINER)
    if said != container:
        return failed(Failure.WRONG_RESPONDER, f"container {said} answered, not {container}")
    return None


def _behind(seen: Observation, pod: PodInfo) -> Finding | None:
    """A finding if, by the API, this Pod is not behind what was asked."""
    target = seen.step.work.target
    if target and target.pod and target.pod.uid != pod.uid:
        return failed(Failure.WRONG_RESPONDER, f"{pod.name} answered at the IP of {target.pod.name}")
    if target and target.service:
        behind = {endpoint.pod for endpoint in seen.view.endpoints(target.lab, target.service.name)}
        if pod.name not in behind:
            why = f"{pod.name} answered, which is not a ready endpoint of {target.service.name}"
            return failed(Failure.WRONG_RESPONDER, why)
    return None


@dataclass(frozen=True)
class AnsweredByHost(Expectation):
    """A host outside the cluster answered, and says so under the request's nonce."""

    host: Literal["near", "outside"]

    def __str__(self) -> str:
        return f"answered by {self.host}"

    def judge(self, seen: Observation) -> Finding:
        """By its own word."""

        def one(answer: Answer) -> Finding:
            said = answer.server.get(HEADER_POD) or NOBODY
            if finding := succeeded(seen, answer):
                return finding
            if said != self.host:
                return failed(Failure.WRONG_RESPONDER, f"{said} answered, not the host {self.host}")
            return echoed(answer) or reached(seen, answer) or PASSED

        return each_answer(seen, one)


@dataclass(frozen=True)
class AnsweredByItself(Expectation):
    """The Pod that asked is the one that answered: the connection came back to where it left (hairpin)."""

    dual: ClassVar[bool] = True

    def __str__(self) -> str:
        return "answered by itself"

    def judge(self, seen: Observation) -> Finding:
        """By the Pod's own name; the finding says which source it saw."""

        def one(answer: Answer) -> Finding:
            if finding := succeeded(seen, answer):
                return finding
            said, own = answer.server.get(HEADER_POD, NOBODY), seen.step.place.pod
            if said != own and said in self._beside(seen):
                why = "Pods of the Service share this node, and which one answers is chance"
                return skipped(f"{said} answered, not {own} itself: several {why}")
            if said != own:
                return failed(Failure.WRONG_RESPONDER, f"{said} answered, not {own} itself")
            return echoed(answer) or passed(f"it saw itself as {answer.server.get(HEADER_PEER, 'nobody')}")

        return each_answer(seen, one)

    def _beside(self, seen: Observation) -> set[str]:
        """The other Pods of the Service on the node of the one that asks."""
        target, place = seen.step.work.target, seen.step.place
        if target is None or target.service is None:
            return set()
        behind = seen.view.endpoints(target.lab, target.service.name)
        return {one.pod for one in behind if one.node == place.node} - {place.pod}


@dataclass(frozen=True)
class NoAnswer(Expectation):
    """No connection was established: refused, timed out or no route. What an answer says never matters."""

    silent: ClassVar[bool] = True

    def __str__(self) -> str:
        return "no connection"

    def judge(self, seen: Observation) -> Finding:
        """curl 7.88 does not tell a reset from an unreachable host: both are its exit 7."""
        return each_answer(seen, lambda answer: _accepted(answer) or self._silence(seen, answer))

    def _silence(self, seen: Observation, answer: Answer) -> Finding:
        finding = failure_of(seen, answer)
        if finding.failure in (Failure.REFUSED, Failure.TIMED_OUT):
            return PASSED
        return inconclusive(finding.failure or Failure.NO_ANSWER, finding.why)


@dataclass(frozen=True)
class Refused(Expectation):
    """The connection was refused (RST): curl's exit 7 with ECONNREFUSED."""

    silent: ClassVar[bool] = True

    def __str__(self) -> str:
        return "refused"

    def judge(self, seen: Observation) -> Finding:
        """A time-out is no refusal."""
        return each_answer(seen, lambda answer: _accepted(answer) or self._refusal(seen, answer))

    def _refusal(self, seen: Observation, answer: Answer) -> Finding:
        finding = failure_of(seen, answer)
        if finding.failure is Failure.REFUSED:
            return PASSED
        if finding.failure is Failure.TIMED_OUT:
            return finding
        return inconclusive(finding.failure or Failure.NO_ANSWER, finding.why)


def _accepted(answer: Answer) -> Finding | None:
    """A finding if anything accepted the connection."""
    if not (answer.connected or answer.status):
        return None
    who = answer.server.get(HEADER_POD, NOBODY)
    said = f"{who} answered with status {answer.status}" if answer.status else "something accepted it"
    return failed(Failure.UNEXPECTED_ANSWER, f"{said} at {answer.remote[0]}:{answer.remote[1]}")


@dataclass(frozen=True)
class NameUnknown(Expectation):
    """The name does not resolve: curl's exit 6."""

    silent: ClassVar[bool] = True

    def __str__(self) -> str:
        return "name unknown"

    def judge(self, seen: Observation) -> Finding:
        """A refused connection shows that the name resolved."""

        def one(answer: Answer) -> Finding:
            finding = failure_of(seen, answer)
            if answer.exitcode and finding.failure is Failure.NAME_UNKNOWN:
                return PASSED
            if answer.connected or answer.exitcode == 7:
                where = answer.remote[0] or "an address"
                return failed(Failure.UNEXPECTED_ANSWER, f"the name resolves to {where}")
            return inconclusive(finding.failure or Failure.NO_ANSWER, finding.why)

        return each_answer(seen, one)


@dataclass(frozen=True)
class Status(Expectation):
    """This HTTP status; ``backend`` False: and none of our workloads answered."""

    code: int
    backend: bool

    def __str__(self) -> str:
        return f"status {self.code}" + ("" if self.backend else " from no backend")

    def judge(self, seen: Observation) -> Finding:
        """By the status line, and by whether an identity came with it."""

        def one(answer: Answer) -> Finding:
            if answer.exitcode:
                return failure_of(seen, answer)
            pod = answer.server.get(HEADER_POD)
            if not self.backend and pod:
                why = f"the backend {pod} answered, with status {answer.status}"
                return failed(Failure.WRONG_RESPONDER, why)
            if answer.status != self.code:
                return failed(Failure.WRONG_STATUS, f"HTTP status {answer.status} instead of {self.code}")
            return (self.backend and echoed(answer)) or reached(seen, answer) or PASSED

        return each_answer(seen, one)


@dataclass(frozen=True)
class Connects(Expectation):
    """A TCP connection was established, whatever was said on it: the positive control of a refusal."""

    dual: ClassVar[bool] = True

    def __str__(self) -> str:
        return "a connection"

    def judge(self, seen: Observation) -> Finding:
        """By the client's own port."""
        return each_answer(seen, lambda answer: PASSED if answer.connected else failure_of(seen, answer))


@dataclass(frozen=True)
class Advertised(Expectation):
    """The IP asked is the one that the stack exports as ``frontendIp``."""

    def __str__(self) -> str:
        return "at the IP exported as frontendIp"

    def judge(self, seen: Observation) -> Finding:
        """By the Service's status, the stack's output and the address that answered."""
        target, exported = seen.step.work.target, seen.view.exports.get("frontendIp")
        advertised = target.service.balancer_ips if target and target.service else ()
        if exported not in advertised:
            why = f"the Service advertises {', '.join(advertised)}, the stack exports frontendIp {exported}"
            return failed(Failure.WRONG_ADDRESS, why)
        return each_answer(seen, lambda a: failure_of(seen, a) if a.exitcode else reached(seen, a) or PASSED)
