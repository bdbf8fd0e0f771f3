"""What causes are found in: the reds, what became of them when they were asked again, and the nodes' state.

Each other file of this folder is a cause: its ``find`` takes a Scene and gives what it found, each with
evidence of its own. A cause is never told from a symptom alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scripts.checks.peers import Target
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence import curl
from scripts.evidence.dnsask import DnsReply
from scripts.evidence.nodestate import NodeState
from scripts.evidence.nodeview import Kernel
from scripts.evidence.ruletrace import MetRule, Passage
from scripts.evidence.trace import Hop, Trace
from scripts.evidence.udpask import Echo
from scripts.evidence.view import View
from scripts.evidence.world import GATEWAY
from scripts.transport.executor import Place

HOST = "host"
"""What the host of the containers is called among the places of a scene."""
DERIVED = (Failure.RESTS_ON, Failure.CONTROL_FAILED)
"""Failures that are another probe's."""


UNSENT = "it was not sent"
"""The answer of a try that the replay could not send."""


@dataclass(frozen=True)
class Try:
    """One request of the replay, from a source port of its own. ``answer`` is a text if it is not credible.

    ``passages`` are its ways through the nodes' chains, in order; ``trace`` its packets, if they were joined.
    """

    port: int
    answer: curl.Answer | Echo | str
    passages: tuple[Passage, ...] = ()
    trace: Trace = field(default_factory=Trace)

    @property
    def passes(self) -> bool:
        """Whether an answer came, other than that somebody behind the one who was asked did not answer."""
        if isinstance(self.answer, Echo):
            return self.answer.answered
        return isinstance(self.answer, curl.Answer) and not self.answer.exitcode and self.answer.status < 500

    @property
    def connected(self) -> bool:
        """Whether whoever it asked accepted its connection."""
        return isinstance(self.answer, curl.Answer) and self.answer.connected

    @property
    def refused(self) -> bool:
        """Whether somebody refused the connection."""
        return (
            isinstance(self.answer, curl.Answer) and self.answer.exitcode == 7 and self.trace.answer == "RST"
        )

    @property
    def ends(self) -> Iterator[tuple[Passage, MetRule]]:
        """Where a rule or a policy ended one of its packets' ways."""
        return ((passage, rule) for passage in self.passages if (rule := passage.end))

    def last(self, way: str) -> Hop | None:
        """The last hop of a way, ``request`` or ``reply``."""
        hops = [hop for hop in self.trace.hops if hop.way == way]
        return hops[-1] if hops else None


@dataclass(frozen=True)
class Red:
    """A probe that failed or is inconclusive. ``leans_on`` are reds that it rests on or is controlled by.

    ``place`` and ``target`` are None where it was not asked; ``tries`` are empty where it cannot be replayed.
    """

    id: str
    claim: str
    lab: str
    verdict: Verdict
    failure: Failure | None
    why: str
    leans_on: tuple[str, ...] = ()
    place: Place | None = None
    target: Target | None = None
    tries: tuple[Try, ...] = ()
    path: str = "/"
    askers: frozenset[str] = frozenset()
    """Addresses of who asks on its behalf: Pods that ask each other, if that failed; a load balancer."""

    @property
    def failing(self) -> list[Try]:
        """The tries that got no answer."""
        return [one for one in self.tries if not one.passes]

    @property
    def node(self) -> str:
        """The node of its source; empty for the world outside."""
        return self.place.node if self.place else ""

    @property
    def service(self) -> tuple[str, str] | None:
        """Namespace and name of the Service that it asks, if it asks one."""
        of = self.target.service if self.target else None
        return (of.namespace, of.name) if of else None

    @property
    def derived(self) -> bool:
        """Whether it is red only because another probe is."""
        return self.failure in DERIVED


@dataclass(frozen=True)
class Cause:
    """What is broken. ``what`` is a sentence that says where; ``explains`` are the ids of reds.

    ``look`` and ``mend`` are commands to paste. ``hides`` are kinds that follow from it on the same node.
    """

    kind: str
    what: str
    evidence: tuple[str, ...]
    explains: frozenset[str] = frozenset()
    node: str = ""
    look: str = ""
    mend: str = ""
    hides: frozenset[str] = frozenset()
    weak: bool = False
    """Whether it may be as it should be: it is told only where nothing else explains a red."""


@dataclass(frozen=True)
class Scene:
    """Everything that is known when causes are looked for, by one family of addresses.

    ``before`` and ``after`` are the nodes' states around the replay, also of the gateway and the host;
    ``pods``, ``policies``, ``ingresses``, ``routes`` (HTTPRoutes) and ``services`` are the API's own objects;
    ``lookups`` are DNS replies by client's node and server.
    """

    view: View
    reds: tuple[Red, ...]
    before: Mapping[str, NodeState] = field(default_factory=dict)
    after: Mapping[str, NodeState] = field(default_factory=dict)
    kernel: Kernel = field(default_factory=Kernel)
    pods: tuple[Mapping[str, Any], ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    lookups: Mapping[tuple[str, str], DnsReply] = field(default_factory=dict)
    passages: tuple[Passage, ...] = ()
    sizes: Mapping[str, Mapping[int, bool]] = field(default_factory=dict)
    ingresses: tuple[Mapping[str, Any], ...] = ()
    routes: tuple[Mapping[str, Any], ...] = ()
    services: tuple[Mapping[str, Any], ...] = ()

    @property
    def iptables(self) -> str:
        """The program that knows the rules of the scene's family of addresses."""
        return "ip6tables" if self.view.snapshot.family == 6 else "iptables"

    @property
    def ip(self) -> tuple[str, ...]:
        """ip(8) for that family."""
        return ("ip", "-6") if self.view.snapshot.family == 6 else ("ip",)

    @cached_property
    def known(self) -> dict[str, Red]:
        """The reds by id."""
        return {red.id: red for red in self.reds}

    def state(self, node: str) -> NodeState:
        """A node's state after the replay; an empty one where it is unknown."""
        return self.after.get(node, NodeState(problem="no agent answers there"))

    def nodes(self) -> Iterator[tuple[str, NodeState, NodeState]]:
        """Every cluster node with its state before and after, where both are known."""
        for node in self.view.snapshot.nodes:
            before, after = self.before.get(node.name), self.after.get(node.name)
            if before and after and not before.problem and not after.problem:
                yield node.name, before, after

    def ids(self, reds: Iterable[Red]) -> frozenset[str]:
        """The ids of these reds."""
        return frozenset(red.id for red in reds)

    def ended_by(self, holds: Callable[[Passage, MetRule], bool]) -> frozenset[str]:
        """The reds of whose replayed packets at least one ended at such a rule."""
        return self.ids(red for red in self.reds if any(holds(*end) for one in red.tries for end in one.ends))

    def owner(self, ip: str) -> str:
        """Whose address it is, in words; empty if nobody's."""
        for pod in self.pods:
            if (pod.get("status") or {}).get("podIP") == ip and not pod["spec"].get("hostNetwork"):
                return f"Pod {pod['metadata']['name']}"
        return next((f"node {node.name}" for node in self.view.snapshot.nodes if node.ip == ip), "")

    def node_of(self, ip: str) -> str:
        """The node that a Pod's or node's address belongs to, by the Pods and the nodes' ranges."""
        for pod in self.pods:
            if (pod.get("status") or {}).get("podIP") == ip:
                return str(pod["spec"].get("nodeName", ""))
        return next((node.name for node in self.view.snapshot.nodes if node.ip == ip), "")


def agent(scene: Scene, node: str, *argv: str) -> str:
    """Runs a program on a node through its agent, or on the gateway or the host."""
    place = scene.view.agent_places().get(node)
    return place.command(*argv) if place else on_node(scene, node, *argv)


def on_node(scene: Scene, node: str, *argv: str) -> str:
    """Runs a program on a node with all rights. An agent has fewer: its /proc/sys cannot be written."""
    world, typed = scene.view.outside, shlex.join(argv)
    if node == HOST:
        return f"docker exec {world.host} {typed}" if world else typed
    if scene.view.fenced or node == GATEWAY:
        return f"docker exec {name_of(scene, node)} {typed}"
    return f"kubectl debug node/{node} -it --profile=sysadmin --image=busybox -- chroot /host {typed}"


def name_of(scene: Scene, node: str) -> str:
    """The name of a place as a person knows it: the gateway is a container of ours."""
    world = scene.view.outside
    return world.gateway if world and node == GATEWAY else node


def crosses(red: Red, node: str) -> bool:
    """Whether a failing replay was seen on a node, or starts or ends there."""
    if red.node == node or (red.target and red.target.pod and red.target.pod.node == node):
        return True
    return any(hop.node == node for one in red.failing for hop in one.trace.hops)


def names(ids: Iterable[str], most: int = 4) -> str:
    """Some of the ids, in words."""
    every = sorted(ids)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
