"""One HTTP request, and what can be expected of it: each expectation is a class that judges for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from scripts.checks.base import Check, Observation, Work, requests_to
from scripts.checks.peers import Destination
from scripts.checks.verdict import Failure, Finding, combined, failed, inconclusive
from scripts.ends import end_of
from scripts.evidence.curl import Answer
from scripts.evidence.identity import HEADER_NONCE
from scripts.evidence.view import View
from scripts.tiers import Tier
from scripts.transport.executor import Place

NO_DNS = 2.0
"""Seconds after which an unresolved name means that DNS did not answer: it rejects one in milliseconds."""


class Expectation(ABC):
    """What is expected of a request; as text it reads "answered by frontend/nginx"."""

    dual: ClassVar[bool] = False
    """Whether it holds by IPv4 and by IPv6 alike."""
    silent: ClassVar[bool] = False
    """Whether no answer at all would satisfy it."""
    tier: ClassVar[Tier] = Tier.PODS
    """What a cluster must allow for it to be judged."""

    @abstractmethod
    def judge(self, seen: Observation) -> Finding:
        """Whether what was seen is what was expected."""

    def counted(self, seen: Observation, node: str) -> list[str]:
        """Further lines for the receipt about what a node's rules counted during the run."""
        return []


@dataclass(frozen=True)
class Get(Check):
    """An HTTP GET to ``to``; ``traced``: its packets are captured at every interface they cross."""

    both: ClassVar[bool] = True

    to: Destination
    expect: tuple[Expectation, ...]
    path: str = "/"
    scheme: Literal["http", "https"] = "http"
    traced: bool = False

    def __str__(self) -> str:
        return f"{self.to} for {self.path}{' (traced)' if self.traced else ''}"

    @property
    def expected(self) -> str:
        """All that is expected, in words."""
        return ", ".join(map(str, self.expect))

    @property
    def negative(self) -> bool:  # type: ignore[override]
        """Whether no answer at all would satisfy one of its expectations."""
        return any(each.silent for each in self.expect)

    def work(self, probe: str, place: Place, view: View) -> Work:
        """One request from the source."""
        target = self.to.target(place, view)
        requests = requests_to(target, probe, self.path, self.scheme)
        return Work(requests, target=target, traced=self.traced)

    def judge(self, seen: Observation) -> Finding:
        """The worst of what its expectations come to."""
        return combined(each.judge(seen) for each in self.expect)

    def counted(self, seen: Observation, node: str) -> list[str]:
        """What its expectations add."""
        return [line for each in self.expect for line in each.counted(seen, node)]


def each_answer(seen: Observation, one: Callable[[Answer], Finding]) -> Finding:
    """The worst finding over all answers."""
    if not seen.answers:
        return inconclusive(Failure.LOST_EXIT_CODE, "there is no answer to judge")
    return combined(map(one, seen.answers))


def failure_of(seen: Observation, answer: Answer) -> Finding:
    """A failed transfer: what was asked, from where, to where, what came of it, and what that means."""
    target, source = seen.step.work.target, seen.step.place
    asked = end_of(target.address, target.port) if target else "it"
    took = float(answer.client.get("time_total") or 0)
    if answer.exitcode == 6:
        return _unresolved(f"{source} asked the DNS for {target.address if target else 'a name'}", took)
    if answer.exitcode == 28 and answer.error.startswith("Resolving"):
        return _unresolved(f"{source} asked the DNS for {target.address if target else 'a name'}", NO_DNS)
    if answer.exitcode == 28 and not answer.connected:
        lost = "its SYN or the answer to it was lost"
        why = f"{source} got no answer from {asked} within {took:.1f} s: {lost}"
        return failed(Failure.TIMED_OUT, why)
    if answer.exitcode == 28:
        why = f"{source} connected to {asked}, but no complete answer came within {took:.1f} s"
        return failed(Failure.TIMED_OUT, why)
    if answer.exitcode == 7:
        why = (
            f"{source} could not connect to {asked} ({1000 * took:.0f} ms): refused by whoever has that "
            "address, or rejected on the way"
        )
        return failed(Failure.REFUSED, why)
    why = f"{source} asked {asked}: {answer.error} (curl exit {answer.exitcode})"
    return failed(Failure.NO_ANSWER, why)


def _unresolved(asked: str, took: float) -> Finding:
    """A name without an address: the DNS does not know it, or did not answer."""
    if took >= NO_DNS:
        return failed(Failure.NO_DNS, f"{asked}, and no server answered within {took:.0f} s")
    return failed(Failure.NAME_UNKNOWN, f"{asked}, which says that there is no such name")


def echoed(answer: Answer) -> Finding | None:
    """A finding if the answer is not to this request."""
    nonce = answer.server.get(HEADER_NONCE)
    if nonce == answer.nonce:
        return None
    said = f"the nonce {nonce}" if nonce else "no nonce"
    return failed(Failure.WRONG_NONCE, f"the answer carries {said}: it is not the answer to this request")


def reached(seen: Observation, answer: Answer) -> Finding | None:
    """A finding if the connection ended at another address than the one asked."""
    target = seen.step.work.target
    if target and target.ips and answer.remote != (answer.remote[0], target.port):
        return failed(Failure.WRONG_ADDRESS, f"connected to port {answer.remote[1]}, not {target.port}")
    if target and target.ips and answer.remote[0] not in target.ips:
        return failed(Failure.WRONG_ADDRESS, f"connected to {answer.remote[0]}, not {', '.join(target.ips)}")
    return None


def succeeded(seen: Observation, answer: Answer) -> Finding | None:
    """A finding unless the transfer ended with status 200."""
    if answer.exitcode:
        return failure_of(seen, answer)
    if answer.status != 200:
        return failed(Failure.WRONG_STATUS, f"HTTP status {answer.status} instead of 200")
    return None
