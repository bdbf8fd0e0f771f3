"""How expectations about an answer are judged: who gave it, whom the server saw, or that there was none."""

from __future__ import annotations

from labs import model
from scripts.probing.curl import Answer
from scripts.probing.judges.base import each, echoed, failure_of, identity, judge, reached
from scripts.probing.observation import Observation
from scripts.probing.verdict import PASSED, Failure, Finding, failed, inconclusive


@judge.register
def _(expected: model.AnsweredBy, seen: Observation) -> Finding:
    return each(seen, lambda answer: answered_by(expected, seen, answer))


def answered_by(expected: model.AnsweredBy, seen: Observation, answer: Answer) -> Finding:
    """Whether this very answer comes from the workload, by all that both sides and the API say."""
    if answer.exitcode:
        return failure_of(answer)
    if answer.status != 200:
        return failed(Failure.WRONG_STATUS, f"HTTP status {answer.status} instead of 200")
    return echoed(answer) or identity(expected, seen, answer) or reached(seen, answer) or PASSED


@judge.register
def _(expected: model.SeesSource, seen: Observation) -> Finding:
    return each(seen, lambda answer: _sees(expected, seen, answer))


def _sees(expected: model.SeesSource, seen: Observation, answer: Answer) -> Finding:
    if answer.exitcode:
        return failure_of(answer)
    own = "{}:{}".format(*answer.local)
    peer = answer.server.get(model.HEADER_PEER, "nothing")
    if expected.address in ("node", "gateway"):
        return _translated(expected.address, seen, peer.rpartition(":")[0])
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


def _translated(whose: str, seen: Observation, ip: str) -> Finding:
    """The server must have seen an address of a node, or the gateway's outside one."""
    world = seen.view.outside
    if whose == "gateway":
        wanted = {world.gateway_outside_ip} if world else set()
    else:
        wanted = {node.ip for node in seen.view.snapshot.nodes}
        wanted |= {address for view in seen.kernel.nodes.values() for address in view.addresses}
        wanted.discard("127.0.0.1")
    if ip in wanted:
        return PASSED
    problem = seen.kernel.problem(node.name for node in seen.view.snapshot.nodes) if whose == "node" else ""
    if problem:
        told = f"the server saw {ip or 'nobody'}, and not every node's addresses are known: {problem}"
        return inconclusive(Failure.NO_EVIDENCE, told)
    return failed(Failure.WRONG_SOURCE, f"the server saw {ip or 'nobody'}, no address of {_owner(whose)}")


def _owner(whose: str) -> str:
    return "the gateway" if whose == "gateway" else "a node"


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


@judge.register
def _(expected: model.AnsweredByHost, seen: Observation) -> Finding:
    def one(answer: Answer) -> Finding:
        if answer.exitcode:
            return failure_of(answer)
        if answer.status != 200:
            return failed(Failure.WRONG_STATUS, f"HTTP status {answer.status} instead of 200")
        said = answer.server.get(model.HEADER_POD) or "somebody without an identity"
        if said != expected.host:
            return failed(Failure.WRONG_RESPONDER, f"{said} answered, not the host {expected.host}")
        return echoed(answer) or reached(seen, answer) or PASSED

    return each(seen, one)


@judge.register
def _(expected: model.ForwardedFor, seen: Observation) -> Finding:
    """The proxy adds the address that it saw: the client's own, or its gateway's where that translates."""
    world = seen.view.outside

    def one(answer: Answer) -> Finding:
        if answer.exitcode:
            return failure_of(answer)
        told = [
            ip.strip() for ip in answer.server.get(model.HEADER_FORWARDED_FOR, "").split(",") if ip.strip()
        ]
        if {answer.local[0], world.gateway_ip if world else ""} & {*told}:
            return PASSED
        said = ", ".join(told) or "nobody"
        return failed(Failure.WRONG_SOURCE, f"X-Forwarded-For names {said}, not the client {answer.local[0]}")

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
        return (expected.backend and echoed(answer)) or reached(seen, answer) or PASSED

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
    return each(seen, lambda a: failure_of(a) if a.exitcode else reached(seen, a) or PASSED)
