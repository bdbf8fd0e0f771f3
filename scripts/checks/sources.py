"""Expectations of whom the server of a request saw: the client, loopback, a node, or the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scripts.checks.base import Observation
from scripts.checks.request import Expectation, each_answer, failure_of
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive
from scripts.ends import end_of, ip_of
from scripts.evidence.curl import Answer
from scripts.evidence.identity import HEADER_FORWARDED_FOR, HEADER_PEER, HEADER_UPSTREAM_PEER

SEEN = {
    "own": "the client's own IP and port",
    "loopback": "127.0.0.1",
    "node": "an address of a node",
    "gateway": "the gateway's outside address",
}


@dataclass(frozen=True)
class SeesSource(Expectation):
    """Whom the server saw: the client's own IP and port, a loopback address, a node, or the gateway."""

    address: Literal["own", "loopback", "node", "gateway"]

    @property
    def dual(self) -> bool:  # type: ignore[override]
        """The client's own address is one of the family that it asks by."""
        return self.address == "own"

    def __str__(self) -> str:
        return f"the server sees {SEEN[self.address]}"

    def judge(self, seen: Observation) -> Finding:
        """By what the server says, compared with the client and the API."""
        return each_answer(seen, lambda answer: self._one(seen, answer))

    def _one(self, seen: Observation, answer: Answer) -> Finding:
        if answer.exitcode:
            return failure_of(seen, answer)
        own = end_of(*answer.local)
        peer = answer.server.get(HEADER_PEER, "nothing")
        if self.address in ("node", "gateway"):
            return self._translated(seen, ip_of(peer))
        if peer != own and not self._gave_way(seen, answer, peer):
            return failed(Failure.WRONG_SOURCE, f"the server saw {peer}, the client sent from {own}")
        if self.address == "own":
            ip = seen.step.place.ip
            if ip and answer.local[0] != ip:
                why = f"the client sent from {answer.local[0]}, its Pod has {ip}"
                return failed(Failure.WRONG_SOURCE, why)
            return PASSED
        if not _loopback(peer):
            return failed(Failure.WRONG_SOURCE, f"the server saw {peer}, which is not a loopback address")
        if entries := seen.entries(answer):
            why = f"the connection left the Pod: node {entries[0][0]} tracked it"
            return failed(Failure.WRONG_SOURCE, why)
        return PASSED

    def _gave_way(self, seen: Observation, answer: Answer, peer: str) -> bool:
        """Whether it is the client's own IP, and its port was taken by another connection of the client."""
        port = peer.removeprefix(f"{answer.local[0]}:")
        return port.isdecimal() and any(
            entry.reply.dport == int(port) and seen.kernel.index.gave_way(node, entry)
            for node, entry in seen.entries(answer)
        )

    def _translated(self, seen: Observation, ip: str) -> Finding:
        """The server must have seen an address of a node, or the gateway's outside one."""
        if self.address == "gateway":
            wanted, owner, problem = {seen.view.world.gateway_outside_ip}, "the gateway", ""
        else:
            nodes = seen.view.snapshot.nodes
            wanted, owner = {node.ip for node in nodes}, "a node"
            wanted |= {address for view in seen.kernel.nodes.values() for address in view.addresses}
            wanted.discard("127.0.0.1")
            problem = seen.kernel.problem((node.name for node in nodes), "wiring")
        if ip in wanted:
            return PASSED
        if problem:
            why = f"the server saw {ip or 'nobody'}, and not every node's addresses are known: {problem}"
            return inconclusive(Failure.NO_EVIDENCE, why)
        return failed(Failure.WRONG_SOURCE, f"the server saw {ip or 'nobody'}, not an address of {owner}")


@dataclass(frozen=True)
class UpstreamSees(Expectation):
    """The application behind the reverse proxy saw a loopback address as its peer."""

    def __str__(self) -> str:
        return "the application behind the proxy sees 127.0.0.1"

    def judge(self, seen: Observation) -> Finding:
        """By what the application says, which the proxy passes on."""

        def one(answer: Answer) -> Finding:
            peer = answer.server.get(HEADER_UPSTREAM_PEER, "")
            if answer.exitcode:
                return failure_of(seen, answer)
            if not _loopback(peer):
                why = f"the application saw {peer or 'nobody'}, not a loopback address"
                return failed(Failure.WRONG_SOURCE, why)
            return PASSED

        return each_answer(seen, one)


@dataclass(frozen=True)
class ForwardedFor(Expectation):
    """X-Forwarded-For gave the backend the client's address, or its gateway's."""

    def __str__(self) -> str:
        return "X-Forwarded-For names the client, or the gateway in front of it"

    def judge(self, seen: Observation) -> Finding:
        """The proxy adds the address that it saw: the client's, or its gateway's where that translates."""

        def one(answer: Answer) -> Finding:
            if answer.exitcode:
                return failure_of(seen, answer)
            header = answer.server.get(HEADER_FORWARDED_FOR, "")
            told = [ip.strip() for ip in header.split(",") if ip.strip()]
            gateway = seen.view.outside.gateway_ip if seen.view.outside else ""
            if {answer.local[0], gateway} & {*told}:
                return PASSED
            why = f"X-Forwarded-For names {', '.join(told) or 'nobody'}, not the client {answer.local[0]}"
            return failed(Failure.WRONG_SOURCE, why)

        return each_answer(seen, one)


def _loopback(peer: str) -> bool:
    return peer.startswith(("127.", "[::1]"))
