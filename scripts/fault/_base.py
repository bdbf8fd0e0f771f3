"""What a fault consists of: acts with their undoing, what must notice it, and the cause to be named."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal, Protocol

from scripts.evidence.snapshot import PodInfo
from scripts.evidence.view import MissingPeer, View
from scripts.transport.executor import Executor, Place, text_of

MARK = "podpath-fault"
"""All that is injected carries it: rules in their comment, objects as a label, folders in their name."""
LABEL = "podpath/fault"
ROUTES = "199"
"""The protocol number of injected routes (``ip route … proto``): no routing daemon's in iproute2's list."""

Argv = tuple[str, ...]
Where = Literal["agent", "container", "engine", "api"]
"""Who runs an act's commands: a node's agent Pod, a container of ours by Docker, Docker, or the API server.

Commands for the API server are (method, path, body as JSON).
"""


@dataclass(frozen=True)
class Act:
    """One damage at one place. ``undo`` may be run as often as need be, also when nothing was damaged.

    ``at`` is the node or the container; empty for Docker and the API. ``there`` ends with 0 while the damage
    stands; without it ``undo`` has undone it once its last command ends with 0.
    """

    where: Where
    at: str
    do: tuple[Argv, ...]
    undo: tuple[Argv, ...]
    there: Argv = ()
    what: str = ""

    def within(self, namespaces: Collection[str]) -> bool:
        """Whether it touches nothing but objects of these namespaces."""
        if self.where != "api":
            return False
        paths = [argv[1] for argv in self.do]
        return all(any(f"/namespaces/{name}/" in f"{path}/" for name in namespaces) for path in paths)

    @property
    def repair(self) -> Repair:
        """How it is undone."""
        return Repair(self.where, self.at, self.undo, self.there)


@dataclass(frozen=True)
class Repair:
    """How one act is undone, as it is kept in journals: all that a later command needs to know.

    ``exercise``: a learner is looking for it, so only a command that says so undoes it.
    """

    where: Where
    at: str
    undo: tuple[Argv, ...]
    there: Argv = ()
    fault: str = ""
    exercise: bool = False

    @property
    def by_hand(self) -> list[str]:
        """What a person types to undo it (with the variables of scripts/env), a line each."""
        return [self._typed(argv) for argv in self.undo]

    def _typed(self, argv: Argv) -> str:
        if self.where == "api":
            method, path, body = argv
            resource, _, name = path.rpartition("/")
            if method == "DELETE":
                return f"kubectl delete --raw {path}"
            if method == "POST":
                return f"echo {shlex.quote(body)} | kubectl create --filename -"
            namespace = path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""
            kind = resource.rpartition("/")[2]
            patch = shlex.quote(body)
            return f"kubectl --namespace {namespace} patch {kind} {name} --type merge --patch {patch}"
        if self.where == "engine":
            return shlex.join(("docker", *argv))
        return shlex.join(("docker", "exec", self.at, *argv))


def repair_of(told: Mapping[str, Any]) -> Repair:
    """A repair out of its fields, as a journal has them; raises KeyError or TypeError for others."""
    undo = tuple(tuple(map(str, argv)) for argv in told["undo"])
    return Repair(**{**told, "undo": undo, "there": tuple(told["there"])})


class Reads(Protocol):
    """What a fault needs of the API server before it is applied."""

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET as JSON."""
        ...


@dataclass(frozen=True)
class Site:
    """The cluster that a fault is to damage, and the fault's own mark."""

    fault: str
    view: View
    api: Reads
    execute: Executor
    containers: Callable[[], Mapping[str, str]] = dict
    """The names of running containers by their addresses, as Docker has them."""

    @property
    def mark(self) -> str:
        """What this fault's rules carry as their comment."""
        return f"{MARK}:{self.fault}"

    def worker(self, number: int) -> str:
        """A worker's name, from 1."""
        return self.view.snapshot.workers[number - 1].name

    def range(self, number: int) -> str:
        """The addresses of a worker's Pods."""
        return self.view.snapshot.workers[number - 1].pod_cidr

    @cached_property
    def control(self) -> str:
        """The control plane's node."""
        return next(node.name for node in self.view.snapshot.nodes if node.control_plane)

    def pod(self, lab: str, workload: str, index: int = 0) -> PodInfo:
        """A ready Pod of a workload, by the order of names."""
        return self.view.pods(lab, workload)[index]

    def cluster_ip(self, lab: str, service: str) -> str:
        """The clusterIP of a lab's Service."""
        return self.view.service(lab, service).cluster_ip

    def service(self, lab: str, name: str) -> str:
        """The path of a lab's Service in the API."""
        return f"/api/v1/namespaces/{self.view.namespace(lab)}/services/{name}"

    def container(self, ip: str) -> str:
        """The container that has an address; raises MissingPeer where none has."""
        names = self.containers()
        if ip not in names:
            raise MissingPeer(f"no container has the address {ip}: scripts/up mends it")
        return names[ip]

    def veth(self, pod: PodInfo) -> str:
        """The node's end of a Pod's veth pair."""
        index = self.execute(self.view.place(pod), ["cat", "/sys/class/net/eth0/iflink"], timeout=10)
        lines = self.look(pod.node, "ip", "-o", "link", "show").splitlines()
        found = next(line for line in lines if line.split(":")[0] == text_of(index.stdout).strip())
        return found.split(": ")[1].split("@")[0]

    def ports(self, node: str) -> list[str]:
        """The ports of a node's bridge cbr0."""
        lines = self.look(node, "ip", "-o", "link", "show", "master", "cbr0").splitlines()
        return [line.split(": ")[1].split("@")[0] for line in lines]

    def run(self, node: str, *argv: str) -> str:
        """What a program prints in a node's container: only to look. Raises PodExecError."""
        return text_of(self.execute(Place(node), argv, timeout=10).stdout)

    def look(self, node: str, *argv: str) -> str:
        """What a program prints in a node's agent: only to look. Raises PodExecError."""
        return text_of(self.execute(self.view.agent(node), argv, timeout=10).stdout)


@dataclass(frozen=True)
class Fault:
    """A small reversible damage. ``what`` describes the cluster while it is applied, in one sentence.

    ``must`` are the probes that have to go red or open (ids, with * and ?), each with its failure class (or
    several, with |), with an empty text for any, or with "skipped" where the claim does not apply any more.
    ``may`` are those that may, by chance or because they rest on others. No other probe may, and of those
    asked as ``beside`` it is watched. ``cause`` is the kind of the Cause that has to be named first, ``on``
    the node or host where it is (empty: not asked); without ``cause`` nothing is wrong, nobody may be red and
    nothing named. ``symptom`` and ``hints`` are for a learner who looks for it, from the claim to the hop.
    """

    what: str
    acts: Callable[[Site], Sequence[Act]]
    must: Mapping[str, str]
    cause: str
    on: Callable[[Site], str] = lambda site: ""
    may: tuple[str, ...] = ()
    beside: tuple[str, ...] = ("S6-?-80", "P1-mesh-*", "C2-app", "I6-*")
    claims: tuple[str, ...] = ()
    symptom: str = ""
    hints: tuple[str, ...] = ()
    felt: Callable[[View], bool] | None = None
    """Whether the API shows already what was damaged; None: it is felt at once."""
    changes_rules: bool = False
    """kube-proxy or a balancer has to follow before it can be felt."""
    followed: Callable[[Site], bool] | None = None
    """Whether the nodes have followed what the API shows; None: none but kube-proxy or a balancer has to."""
    enforced: bool = False
    """It needs a NetworkPolicy engine: only a stack that has one can show it."""
    limit: float = 60.0
    """Seconds after which the node undoes it by itself, whoever applied it."""

    @property
    def harmless(self) -> bool:
        """Whether it breaks nothing, so that nobody may notice it."""
        return not self.cause


def matches(id: str, patterns: Iterable[str]) -> bool:
    """Whether a probe's id meets one of a fault's patterns (* and ?)."""
    return any(fnmatchcase(id, pattern) for pattern in patterns)


def worker(number: int) -> Callable[[Site], str]:
    """The worker of this number, from 1."""
    return lambda site: site.worker(number)


def node_of(lab: str, workload: str) -> Callable[[Site], str]:
    """The node of a workload's first Pod."""
    return lambda site: site.pod(lab, workload).node


def owned(act: Act, fault: str, exercise: bool) -> Repair:
    """An act's repair, with the fault that it belongs to."""
    return replace(act.repair, fault=fault, exercise=exercise)
