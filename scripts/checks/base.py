"""What every check consists of: what it sends, what came back, and the probe that uses it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

from scripts.checks.peers import Source, Target
from scripts.checks.undo import Api, Undo, restore, reverse
from scripts.checks.verdict import Finding
from scripts.errors import PodpathError
from scripts.evidence import curl
from scripts.evidence.conntrack import Entry
from scripts.evidence.identity import HEADER_NONCE, HEADER_PEER, HEADER_POD
from scripts.evidence.nodeview import RULES, Kernel, rules_of
from scripts.evidence.rules import Rules
from scripts.evidence.ruletrace import Passage
from scripts.evidence.snapshot import Endpoint, endpoints_of
from scripts.evidence.trace import Trace
from scripts.evidence.view import View
from scripts.tiers import Tier
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError
from scripts.transport.frames import Output, Script
from scripts.transport.tokens import token
from scripts.waiting import TIMEOUTS, clock


@dataclass(frozen=True)
class Claim:
    """One sentence about how packets travel, under the id it keeps everywhere."""

    id: str
    sentence: str


@dataclass(frozen=True)
class Command:
    """A program that a probe runs at a place; ``key`` is unique within the probe."""

    place: Place
    key: str
    argv: tuple[str, ...]


class Sent(NamedTuple):
    """A request, and from where it is sent."""

    place: Place
    request: curl.Request


@dataclass(frozen=True)
class Work:
    """What a check sends: requests from its source or from ``elsewhere``, or commands at any places.

    ``nonce`` is the request's unique text where a command sends it; ``traced``: packets are captured.
    ``clients`` are addresses from which further connections of this work come. ``table`` is the Service
    (lab, name) whose endpoints must stay as they are meanwhile.
    """

    requests: tuple[curl.Request, ...] = ()
    commands: tuple[Command, ...] = ()
    target: Target | None = None
    nonce: str = ""
    traced: bool = False
    clients: frozenset[str] = frozenset()
    table: tuple[str, str] | None = None
    elsewhere: tuple[Sent, ...] = ()


@dataclass(frozen=True)
class Step:
    """A probe with everything resolved: where it starts, what it sends, what it runs."""

    lab: str
    probe: Probe
    place: Place
    work: Work

    @property
    def sent(self) -> tuple[Sent, ...]:
        """All its requests, and from where each is sent."""
        return (*(Sent(self.place, request) for request in self.work.requests), *self.work.elsewhere)

    @property
    def places(self) -> frozenset[Place]:
        """Its source, and all other places from which requests are sent."""
        return frozenset((self.place, *(place for place, _ in self.work.elsewhere)))

    @property
    def command(self) -> str:
        """What a person types to do the same by hand."""
        for place, request in self.sent[:1]:
            return place.command(*request.argv())
        return "; ".join(command.place.command(*command.argv) for command in self.work.commands)


@dataclass(frozen=True)
class Observation:
    """A step's answers and outputs, beside the API's and the kernel's view of the same moment.

    ``outputs`` are by their command's key; ``facts`` are what a scenario noted, in the check's own record;
    ``trace`` are a traced request's packets, ``passages`` those through netfilter's chains, with others'
    among them; ``lost`` says why what came back is not credible.
    """

    step: Step
    view: View
    kernel: Kernel = field(default_factory=Kernel)
    answers: tuple[curl.Answer, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    facts: Any = None
    trace: Trace | None = None
    passages: tuple[Passage, ...] = ()
    lost: Finding | None = None

    def entries(self, answer: curl.Answer) -> list[tuple[str, Entry]]:
        """(node, entry) of the answer's connection, as every node that saw it tracked it.

        curl does not report the local port of a connection that failed; then all attempts at the same
        address and port count.
        """
        target = self.step.work.target
        if not answer.connected:
            return self.kernel.index.at((target.address, target.port)) if target else []
        server = self.pod_ips.get(answer.server.get(HEADER_POD, ""), "")
        seen = self.kernel.index.of(answer.local, answer.remote, server)
        if answer.local[0].startswith("127."):
            return seen  # a peer's port alone could be a connection of the node's own
        peer = answer.server.get(HEADER_PEER, "")
        behind = self.kernel.index.towards(peer, server or answer.remote[0])
        return seen + [pair for pair in behind if pair not in seen]

    @property
    def pod_ips(self) -> dict[str, str]:
        """The IPs of all Pods of the namespace that is probed, by name, as the API has them."""
        target = self.step.work.target
        if target and target.pod:
            namespace = target.pod.namespace
        else:
            namespace = self.view.namespace(target.lab if target and target.lab else self.step.lab)
        return self.view.pod_ips(namespace)


class Check(ABC):
    """One kind of probe. Its fields say what is asked; as text it reads "Service frontend for /"."""

    negative: ClassVar[bool] = False
    """Whether silence would satisfy it: then its probe needs a positive control."""
    own_tier: ClassVar[Tier] = Tier.PODS
    """What the check itself needs of a cluster, beside what its parts need."""
    both: ClassVar[bool] = False
    """Whether it asks the same by either family of addresses, if all its parts do."""

    @property
    def tier(self) -> Tier:
        """What a cluster must allow for it: the most that it or a part of it needs."""
        return max(self.own_tier, *map(_tier_of, vars(self).values()), Tier.PODS)

    @property
    def dual(self) -> bool:
        """Whether it asks the same by IPv4 and by IPv6."""
        return self.both and all(map(_is_dual, vars(self).values()))

    @property
    @abstractmethod
    def expected(self) -> str:
        """What is expected, in words."""

    @abstractmethod
    def work(self, probe: str, place: Place, view: View) -> Work:
        """What it sends from ``place``; raises NotHere or MissingPeer."""

    @abstractmethod
    def judge(self, seen: Observation) -> Finding:
        """Compares what was seen with what is expected."""

    def example(self, seen: Observation) -> Step:
        """The step that is asked again if it is red: of requests from several places, one that failed."""
        return seen.step

    def counted(self, seen: Observation, node: str) -> list[str]:
        """Further lines for the receipt about what a node's rules counted during the run."""
        return []


def _tier_of(part: object) -> Tier:
    """The tier of a part of a check: an expectation, a peer, or several of them."""
    if isinstance(part, tuple):
        return max(map(_tier_of, part), default=Tier.LOOK)
    tier = getattr(part, "tier", Tier.LOOK)
    return tier if isinstance(tier, Tier) else Tier.LOOK


def _is_dual(part: object) -> bool:
    """Whether a part of a check holds for either family: an expectation, a peer, or several of them."""
    return all(map(_is_dual, part)) if isinstance(part, tuple) else bool(getattr(part, "dual", True))


class Scenario(Check):
    """A check that takes time, or changes the cluster (``alone``) and restores what it changed.

    It changes the cluster by its stage, which knows how to undo that even if the run is killed.
    """

    alone: ClassVar[bool] = True
    beside: ClassVar[bool] = False
    """Whether it changes only what no other scenario of its lab looks at, so that they run at once."""

    @abstractmethod
    def play(self, stage: Stage) -> Observation:
        """Plays it to its end; raises PodExecError and PodpathError."""


def runs_alone(check: Check) -> bool:
    """Whether the check changes the cluster, so that nothing else may run beside it in its lab."""
    return isinstance(check, Scenario) and check.alone


@dataclass(frozen=True)
class Probe:
    """One check from one source: it reads as a sentence.

    ``controls`` names the positive controls of a negative probe by their ids: probes that must pass in the
    same run, or the negative one proves nothing and is inconclusive. ``instead`` is set on a probe whose
    success refutes a part of its claim: it says what is true instead. ``rests_on`` names probes without
    which a scenario need not be played. One that does not carry its claim is a control and proves nothing.
    ``within`` is the probe's lab where its sentence has to name it, to differ from what other labs ask.
    ``fence``: what it sends would leave a cluster that is not fenced. ``family``: by which addresses it asks,
    4 or 6; 0: by those that the cluster has first.
    """

    id: str
    claim: str
    source: Source
    check: Check
    controls: tuple[str, ...] = ()
    instead: str = ""
    rests_on: tuple[str, ...] = ()
    carries: bool = True
    within: str = ""
    fence: bool = False
    family: int = 0

    @property
    def tier(self) -> Tier:
        """What a cluster must allow for it."""
        return max(self.source.tier, self.check.tier)

    def __str__(self) -> str:
        return f"{self.asked}: {self.check.expected}"

    @property
    def asked(self) -> str:
        """The first half of the sentence: who asks what, and where it has to be said, in which lab."""
        by = f" by IPv{self.family}" if self.family else ""
        return f"{self.source} asks {self.check}{by}{f', in {self.within}' if self.within else ''}"


class Journal(Protocol):
    """Keeps what is to be undone, should the run be killed."""

    def before_change(self, undo: Undo) -> None:
        """Keeps how the change that comes next is undone."""
        ...

    def undone(self, undo: Undo) -> None:
        """Forgets what is undone."""
        ...


class Unkept:
    """Keeps nothing: where no run can be killed."""

    def before_change(self, undo: Undo) -> None:
        """Keeps nothing."""

    def undone(self, undo: Undo) -> None:
        """Has nothing to forget."""


BURST = 20
"""Requests of a burst that is to meet a Pod: beside three others, one burst in 300 misses it by chance."""
SURE = 60
"""Requests that show that a Pod is gone: beside three others, they miss it by chance once in 30 million."""


@dataclass(frozen=True)
class Stage:
    """What a scenario plays on. ``before`` is the kernels' view from the run's start."""

    step: Step
    view: View
    api: Api
    execute: Executor
    raw: Callable[[str, CompletedExec], None]
    before: Kernel = field(default_factory=Kernel)
    journal: Journal = field(default_factory=Unkept)

    @contextmanager
    def changing(self, undo: Undo, change: Callable[[], object]) -> Iterator[int]:
        """Makes a change that stands while the block runs and is undone after it, whatever ended the block.

        Gives the moment before the change, in nanoseconds since 1970. Raises PodpathError when it cannot be
        undone; the next command tries again then.
        """
        self.journal.before_change(undo)
        begun = clock().wall(undo.what)
        try:
            change()
            yield begun
        except BaseException:
            with suppress(PodpathError):
                self._restore(undo)
            raise
        self._restore(undo)

    def patched(self, path: str, change: Mapping[str, Any], what: str) -> AbstractContextManager[int]:
        """While the block runs an object is changed by a merge patch; after it, it is as it was read."""
        was = self.api.get(path)
        undo = Undo(what, path, was["metadata"].get("uid", ""), reverse(change, was))
        return self.changing(undo, lambda: self.api.patch(path, change))

    def _restore(self, undo: Undo) -> None:
        restore(undo, self.api, self.execute, TIMEOUTS.follow)
        self.journal.undone(undo)

    @property
    def target(self) -> Target:
        """What the probe asks."""
        assert self.step.work.target is not None
        return self.step.work.target

    def towards(self, target: Target) -> Stage:
        """The same stage with another target for its requests."""
        return replace(self, step=replace(self.step, work=replace(self.step.work, target=target)))

    def burst(
        self, times: int = BURST, path: str = "/whoami", total: float = TIMEOUTS.request
    ) -> curl.Answers:
        """Requests from the probe's source to its target, each over a connection of its own.

        Answers that are not credible are left out; raises PodExecError, also when curl contradicts itself.
        """
        requests = requests_to(self.target, self.step.probe.id, path, times=times, total=total)
        done = self.execute(self.step.place, curl.argv(), curl.render(requests), TIMEOUTS.exec)
        self.raw(requests[0].nonce, done)
        parsed = curl.parse(done.stdout, requests).values()
        answers = tuple(answer for answer in parsed if isinstance(answer, curl.Answer))
        if done.returncode and len(answers) == times and not any(answer.exitcode for answer in answers):
            said = f"curl in {self.step.place} ended with {done.returncode}"
            raise PodExecError(f"{said} although every transfer claims success")
        return answers

    def rules(self) -> Rules:
        """kube-proxy's rules on the source's node as they are now; raises PodExecError."""
        script = Script(RULES)
        done = self.execute(self.view.agent(self.step.place.node), script.argv())
        return rules_of(script.parse(done.stdout))

    def endpoints(self, lab: str, service: str) -> tuple[Endpoint, ...]:
        """The Service's endpoints as the API has them now, ready or not."""
        namespace = self.view.namespace(lab)
        slices = self.api.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")["items"]
        return endpoints_of(slices, self.view.snapshot.family).get((namespace, service), ())


def by_pod(answers: curl.Answers, pod: str) -> int:
    """How many answers to these requests came from a Pod."""
    return sum(
        answer.server.get(HEADER_POD) == pod and answer.server.get(HEADER_NONCE) == answer.nonce
        for answer in answers
    )


def absent(answers: curl.Answers, pod: str) -> bool:
    """Whether there are answers, and none came from a Pod."""
    return bool(answers) and not by_pod(answers, pod)


def requests_to(
    target: Target,
    probe: str,
    path: str,
    scheme: str = "http",
    times: int = 1,
    total: float = TIMEOUTS.request,
) -> tuple[curl.Request, ...]:
    """``times`` requests, each with a random nonce and a limit of ``total`` seconds."""
    marks = token(4 * times, probe)  # one call: a system call each would cost more than the rest
    url = target.url(scheme, path)
    of = partial(
        curl.Request, url=url, host=target.host, connect=TIMEOUTS.connect, total=total, family=target.family
    )
    return tuple(of(f"{probe}.{marks[8 * n : 8 * n + 8]}.{n}") for n in range(times))
