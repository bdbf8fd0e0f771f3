"""Asks every red once more under the microscope: captures, netfilter's own trace, the nodes' state around it.

Equal requests are asked once for all the reds that sent them. Nothing of this changes a verdict.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from scripts.causes.scene import UNSENT, Try
from scripts.checks.base import Step, requests_to
from scripts.checks.peers import Target
from scripts.checks.verdict import Failure
from scripts.evidence import curl, dnsask, nodestate, ruletrace
from scripts.evidence.capture import Captures, capturing
from scripts.evidence.dnsask import DnsReply
from scripts.evidence.dropreasons import Dropped
from scripts.evidence.links import Wiring
from scripts.evidence.nodestate import NodeState, read_state
from scripts.evidence.nodeview import Kernel
from scripts.evidence.ruletrace import Marked, Passage
from scripts.evidence.snapshot import PodInfo, Snapshot
from scripts.runs.document import ProbeRecord
from scripts.suite import replaydatagrams
from scripts.suite.ask import Session
from scripts.suite.dropping import dropping
from scripts.suite.monitors import markers, monitoring
from scripts.suite.tracing import places, trace_of, wirings
from scripts.transport import frames
from scripts.transport.background import at_once
from scripts.transport.executor import Place, PodExecError
from scripts.transport.tokens import token

TRIES, FEW = 8, 3
"""Requests to a Service (one dead backend of four is missed by one replay in ten); and to anything else."""
MANY = 60
"""Requests at once where packets were lost by chance."""
MOST = 800
"""Requests altogether; beyond that each red is asked once."""
TRACED = 48
"""Connections whose packets are joined to a trace: joining reads every capture."""
NO_PORT = 45
"""curl's exit code where it could not bind to the source port."""
CONNECT, TOTAL = 1.5, 2.5
"""Seconds for a replayed connection and its answer."""
SIZES = (*range(100, 1500, 100), 1460, 2000, 4000)
"""Octets of a header that fills the request's packet, where a size was lost."""
LARGE = "0-131071"
"""The part of the file that is asked for where an answer's size was lost."""


class Key(NamedTuple):
    """What makes two replayed requests the same: where from, to which URL, under which name."""

    place: Place
    url: str
    host: str | None
    sized: bool


States = dict[int, dict[str, NodeState]]
"""By the family of addresses, and by place."""


@dataclass
class Replayed:
    """What the replay saw; ``tries`` are by red, ``sizes`` by red: which header sizes were answered.

    ``wired`` are the interfaces of every node and of the gateway.
    """

    tries: dict[str, tuple[Try, ...]] = field(default_factory=dict)
    before: States = field(default_factory=dict)
    after: States = field(default_factory=dict)
    lookups: dict[tuple[str, str], DnsReply] = field(default_factory=dict)
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    sizes: dict[str, dict[int, bool]] = field(default_factory=dict)
    wired: dict[str, Wiring] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plan:
    """The requests by key, and the key of each red's step."""

    requests: Mapping[Key, tuple[curl.Request, ...]]
    keys: Mapping[str, Key]
    steps: Mapping[Key, Step]


def replay(session: Session, reds: Sequence[tuple[Step, ProbeRecord]], kernel: Kernel) -> Replayed:
    """Asks the reds again, all at once. What fails on a node leaves its part empty; never raises."""
    found, plan = Replayed(), _planned(reds, session.view.snapshot)
    view, execute, threads = session.view, session.execute, session.threads
    answers: dict[str, curl.Answer | str] = {}
    clients = [pod for pod in view.clients() if pod.node not in view.silent]
    names = _names(reds)
    states = threads.submit(_states, session, "before")
    wiring = threads.submit(wirings, view, kernel, execute)
    openers = frozenset[str]().union(*(askers(step, record, view.snapshot) for step, record in reds))
    six = any(step.probe.family == 6 for step, _ in reds)
    asking_dns = frozenset(pod.ip for pod in clients if names) | openers - view.snapshot.entrances.keys()
    lent = frozenset(node.ip for node in view.snapshot.nodes if openers)
    marked = Marked(asking_dns, openers, openers | lent, six)
    with (
        dropping(session.drops, view.stack, execute, threads, session.teller.raw) as dropped,
        at_once(
            monitoring(markers(view), execute, threads, session.teller.raw, marked),
            capturing(places(view), execute, threads, session.teller.raw),
        ) as (passages, captures),
    ):
        found.before = states.result()
        asking = [threads.submit(_asked, session, at, own) for at, own in _by_place(plan).items()]
        looking = [threads.submit(_looked_up, session, pod, names) for pod in clients if names]
        datagrams = replaydatagrams.ask(session, [step for step, _ in reds if _asks_udp(step, view.snapshot)])
        for future in asking:
            answers |= future.result()
        for lookup in looking:
            found.lookups |= lookup.result()
        states = threads.submit(_states, session, "after")
    found.after, found.wired = states.result(), wiring.result()
    found.passages, found.dropped = tuple(passages), tuple(dropped)
    _joined(session, plan, answers, captures, found)
    found.tries |= replaydatagrams.tries(datagrams, found.passages)
    session.teller.flush()
    return found


def _planned(reds: Sequence[tuple[Step, ProbeRecord]], snapshot: Snapshot) -> _Plan:
    """Each red's request, some times over, each from a port of its own; equal ones once for all."""
    keys: dict[str, Key] = {}
    steps: dict[Key, Step] = {}
    models: dict[Key, list[curl.Request]] = {}
    for step, record in reds:
        model = _model(step, snapshot)
        if model is None:
            continue
        sized = record.failure is Failure.SIZE_LOST
        key = Key(step.place, model.url, model.host, sized)
        keys[record.id] = key
        steps.setdefault(key, step)
        models.setdefault(key, _sized(step) if sized else [model] * _times(step, record))
    if sum(map(len, models.values())) > MOST:
        models = {key: of if key.sized else of[:1] for key, of in models.items()}
    ports = _ports()
    requests = {
        key: tuple(
            replace(one, nonce=f"replay.{n}.{i}", port=next(ports), connect=CONNECT, total=TOTAL)
            for i, one in enumerate(of)
        )
        for n, (key, of) in enumerate(models.items())
    }
    return _Plan(requests, keys, steps)


def _ports() -> Iterator[int]:
    """Source ports, from elsewhere each time: those of the last replay may still be held, or be known."""
    own = ruletrace.PORTS[: len(ruletrace.PORTS) // 2]  # the others are for datagrams
    first = int(token(4, "replay"), 16) % len(own)
    return itertools.cycle((*own[first:], *own[:first]))


def _times(step: Step, record: ProbeRecord) -> int:
    """How often a red is asked again."""
    if record.failure is Failure.PACKETS_LOST:
        return MANY
    return TRIES if step.work.target is not None and step.work.target.service is not None else FEW


def _model(step: Step, snapshot: Snapshot) -> curl.Request | None:
    """The request that stands for a step: its own first one, or its command's URL, else one to its target.

    None stands for a step that asks a port of UDP, where a refusal would say nothing, and for one that sends
    nothing: what has no port was never asked.
    """
    work = step.work
    if work.requests:
        return replace(work.requests[0], range="")
    urls = [word for command in work.commands for word in command.argv if word.startswith("http://")]
    if urls:
        return curl.Request("", urls[0], work.target.host if work.target else None)
    target = work.target
    if target is None or not (target.address and target.port) or _by_udp(target, snapshot):
        return None
    return requests_to(target, step.probe.id, "/whoami")[0]


def _asks_udp(step: Step, snapshot: Snapshot) -> bool:
    """Whether a step sends datagrams to what it asks."""
    work, target = step.work, step.work.target
    if work.requests or target is None or not target.ips or target.port == 53:
        return False
    return _by_udp(target, snapshot)


def _by_udp(target: Target, snapshot: Snapshot) -> bool:
    """Whether a Service that is asked, or that selects the Pod that is asked, has this port for UDP."""
    pod, own = target.pod, target.service
    of = [own] if own else [one for one in snapshot.services.values() if pod and one.selects(pod)]
    ports = {(port.port, port.protocol) for one in of for port in one.ports}
    return target.port == 53 or ((target.port, "UDP") in ports and (target.port, "TCP") not in ports)


def _sized(step: Step) -> list[curl.Request]:
    """Requests of growing size, and one for a large answer."""
    assert step.work.target is not None
    (plain,) = requests_to(step.work.target, step.probe.id, "/whoami")
    (large,) = requests_to(step.work.target, step.probe.id, "/bytes")
    return [*(replace(plain, padding=size) for size in SIZES), replace(large, range=LARGE)]


def _names(reds: Iterable[tuple[Step, ProbeRecord]]) -> list[str]:
    """The DNS names that reds asked for."""
    asked = (step.work.target.address for step, _ in reds if step.work.target)
    return list(dict.fromkeys(name for name in asked if any(map(str.isalpha, name)) and "." in name))


def askers(step: Step, record: ProbeRecord, snapshot: Snapshot) -> frozenset[str]:
    """Who asks on behalf of a red: Pods that ask each other where such a request failed, a load balancer."""
    asked = {step.work.target.address, *step.work.target.ips} if step.work.target else set[str]()
    broken = record.failure in (Failure.BROKEN_CHAIN, Failure.TIMED_OUT)
    chained = step.work.clients if broken else frozenset[str]()
    return chained | (asked & snapshot.entrances.keys())


def _by_place(plan: _Plan) -> dict[Place, list[curl.Request]]:
    found: dict[Place, list[curl.Request]] = {}
    for key, requests in plan.requests.items():
        found.setdefault(key.place, []).extend(requests)
    return found


def _asked(session: Session, place: Place, requests: list[curl.Request]) -> dict[str, curl.Answer | str]:
    try:
        done = session.execute(place, curl.argv(limit=20), curl.render(requests), 30)
    except PodExecError as error:
        return {request.nonce: str(error) for request in requests}
    session.teller.raw(f"replay {place}", done)
    return {nonce: _sent(answer) for nonce, answer in curl.parse(done.stdout, requests).items()}


def _sent(answer: curl.Answer | str) -> curl.Answer | str:
    """The answer, unless its source port was held by another connection: then nothing was sent."""
    return UNSENT if isinstance(answer, curl.Answer) and answer.exitcode == NO_PORT else answer


def _looked_up(session: Session, client: PodInfo, names: Sequence[str]) -> dict[tuple[str, str], DnsReply]:
    """What each DNS Pod and the DNS Service say to a client for the first of these names."""
    pods, service = dns_of(session)
    servers = (*((service,) if service else ()), *pods)
    try:
        done = session.execute(session.view.place(client), dnsask.argv(names[0], servers), b"", 30)
    except PodExecError:
        return {}
    session.teller.raw(f"replay dns {client.name}", done)
    replies = dnsask.read(done.stdout.decode(errors="replace"))
    return {(client.node, server): reply for server, reply in replies.items()}


def dns_of(session: Session) -> tuple[list[str], str]:
    """The addresses of the cluster's DNS Pods, and of its Service."""
    snapshot = session.view.snapshot
    service = snapshot.services.get(dnsask.SERVICE)
    if service is None:
        return [], ""
    return [pod.ip for pod in snapshot.pods if service.selects(pod) and pod.ip], service.cluster_ip


def _states(session: Session, when: str) -> States:
    """The state of every node, the gateway and the host, in one exec each."""
    families = sorted(session.view.snapshot.families)
    commands = {**nodestate.COMMANDS, **(nodestate.COMMANDS_V6 if 6 in families else {})}
    world = session.view.outside
    at = places(session.view) | ({"host": Place(world.host)} if world else {})

    def look(name: str) -> dict[int, NodeState]:
        script = frames.Script(commands, at_once=True, limit=5)
        try:
            done = session.execute(at[name], script.argv(), b"", 20)
        except PodExecError as error:
            return dict.fromkeys(families, NodeState(problem=str(error)))
        session.teller.raw(f"state-{when}-{name}", done)
        outputs = script.parse(done.stdout)
        return {family: read_state(outputs, family) for family in families}

    seen = dict(zip(at, session.threads.map(look, at), strict=True))
    return {family: {name: of[family] for name, of in seen.items()} for family in families}


def _joined(
    session: Session,
    plan: _Plan,
    answers: Mapping[str, curl.Answer | str],
    captures: Captures,
    found: Replayed,
) -> None:
    """Puts each try's answer, rules and packets together, under every red that sent it."""
    by_port: dict[int, list[Passage]] = {}
    for passage in found.passages:
        by_port.setdefault(passage.port, []).append(passage)
    tries: dict[Key, tuple[Try, ...]] = {}
    for key, requests in plan.requests.items():
        own = [
            Try(one.port, answers.get(one.nonce, UNSENT), tuple(by_port.get(one.port, ())))
            for one in requests
        ]
        sent = [n for n, one in enumerate(own) if one.answer != UNSENT] or [0]
        chosen = next((n for n in sent if not own[n].passes), sent[0])
        if len(tries) < TRACED:
            step = plan.steps[key]
            one = replace(step, work=replace(step.work, requests=(requests[chosen],)))
            by = session.view.by(one.probe.family)
            trace = trace_of(one, by, captures, found.wired, requests[chosen].port)
            own[chosen] = replace(own[chosen], trace=trace)
        tries[key] = tuple(own)
    for id, key in plan.keys.items():
        found.tries[id] = tries[key]
        if key.sized:
            found.sizes[id] = {size: one.passes for size, one in zip(SIZES, tries[key], strict=False)}
