"""The ends of a path: what they have in common, and those at which a probe starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

from scripts.ends import end_of
from scripts.evidence.rules import ServiceKey
from scripts.evidence.snapshot import NodeInfo, PodInfo, ServiceInfo
from scripts.evidence.view import MissingPeer, NodeDown, NotHere, View
from scripts.tiers import Tier
from scripts.transport.executor import Place

Where = Literal["same node", "other node", "any node"]


@dataclass(frozen=True)
class Target:
    """A destination as curl takes it: ``address`` is an IP, or a name to resolve.

    ``ips`` are the addresses at which the connection may end (empty: any); ``pod`` and ``service``
    are what the API has behind it; ``host`` goes into the Host header. ``proxy``: what stands there
    opens connections of its own towards the Pods. ``family``: by which version of IP a name is looked up,
    where the cluster has both; else 0.
    """

    address: str
    port: int
    ips: tuple[str, ...] = ()
    host: str | None = None
    pod: PodInfo | None = None
    service: ServiceInfo | None = None
    lab: str = ""
    proxy: bool = False
    family: int = 0

    @property
    def key(self) -> ServiceKey:
        """What kube-proxy's rules know a Service's address and TCP port by."""
        return ServiceKey(self.ips[0], self.port, "tcp")

    def url(self, scheme: str, path: str) -> str:
        """The URL of ``path`` there."""
        return f"{scheme}://{end_of(self.address, self.port)}{path}"


class Source(ABC):
    """Where a probe starts; ``tier`` is what a cluster must allow for it. ``dual``: by either family."""

    tier: ClassVar[Tier] = Tier.PODS
    dual: ClassVar[bool] = False

    @abstractmethod
    def place(self, view: View) -> Place:
        """Where it runs; raises NotHere where the cluster has no such peer, MissingPeer where it is gone.

        Raises NodeDown where its node does not answer.
        """


class Destination(ABC):
    """Where a probe goes; ``tier`` is what a cluster must allow for it. ``dual``: by either family."""

    tier: ClassVar[Tier] = Tier.PODS
    dual: ClassVar[bool] = False

    @abstractmethod
    def target(self, place: Place, view: View) -> Target:
        """Its address as seen from ``place``; raises NotHere or MissingPeer."""


# --- sources --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Client(Source):
    """The curl Pod that the platform runs on every worker node; ``index`` counts nodes by name.

    Nodes that run a Pod of ``beside`` (lab, workload) come first: in a large cluster that is a few of many.
    """

    dual: ClassVar[bool] = True

    index: int = 0
    beside: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"client-{self.index + 1}"

    def place(self, view: View) -> Place:
        """The client Pod of that node."""
        node = worker(view, self.index, view.nodes_of(*self.beside) if self.beside else ())
        for pod in view.clients():
            if pod.node == node.name:
                return view.place(pod)
        raise no_client(node.name)


@dataclass(frozen=True)
class Container(Source):
    """A container of a lab's Pod; of several Pods the first by name."""

    dual: ClassVar[bool] = True

    lab: str
    workload: str
    container: str

    def __str__(self) -> str:
        return f"{self.workload}/{self.container}"

    def place(self, view: View) -> Place:
        """The container of the first Pod."""
        pod = view.pods(self.lab, self.workload)[0]
        if self.container not in pod.containers:
            raise MissingPeer(f"the Pod {pod.name} has no container {self.container}")
        return view.place(pod, self.container)


@dataclass(frozen=True)
class PodOn(Source):
    """A container of a lab's Pod on a certain worker node; ``index`` counts those that run one, by name."""

    dual: ClassVar[bool] = True

    lab: str
    workload: str
    container: str
    index: int

    def __str__(self) -> str:
        return f"{self.workload}/{self.container} on node {self.index + 1}"

    def place(self, view: View) -> Place:
        """The container of the first such Pod."""
        node = worker(view, self.index, view.nodes_of(self.lab, self.workload)).name
        for pod in view.pods(self.lab, self.workload):
            if pod.node == node:
                return view.place(pod, self.container)
        raise NotHere(f"no Pod of {self.workload} runs on {node}")


@dataclass(frozen=True)
class Beside(Source):
    """The client on the node that runs the (first) Pod of a workload, or on another one."""

    dual: ClassVar[bool] = True

    lab: str
    workload: str
    where: Literal["same node", "other node"]

    def __str__(self) -> str:
        return f"the client on {'the' if self.where == 'same node' else 'another'} node of {self.workload}"

    def place(self, view: View) -> Place:
        """The client Pod there."""
        pod = view.pods(self.lab, self.workload)[0]
        for client in view.clients():
            if (client.node == pod.node) == (self.where == "same node"):
                return view.place(client)
        for node in view.snapshot.workers:
            if (node.name == pod.node) == (self.where == "same node"):
                answering(view, node.name)
                raise no_client(node.name)
        raise NotHere(f"the cluster has no {self.where}, seen from {pod.name} on {pod.node}")


@dataclass(frozen=True)
class Outside(Source):
    """A host that is no node of the cluster: it lives beyond the gateway, on a network of its own."""

    def __str__(self) -> str:
        return "outside"

    def place(self, view: View) -> Place:
        """Its container."""
        return Place(view.world.outside)


@dataclass(frozen=True)
class Near(Source):
    """The server on the nodes' own network, as a client: it is no node and no Pod."""

    def __str__(self) -> str:
        return "near"

    def place(self, view: View) -> Place:
        """Its container."""
        return Place(view.world.near)


@dataclass(frozen=True)
class OnNode(Source):
    """A worker node itself: its own network namespace, ``index`` counts nodes by name."""

    tier: ClassVar[Tier] = Tier.KERNEL

    index: int = 0

    def __str__(self) -> str:
        return f"node-{self.index + 1}"

    def place(self, view: View) -> Place:
        """Its node agent, which has the node's network."""
        return view.agent(worker(view, self.index).name)


@dataclass(frozen=True)
class KubeProxy(Source):
    """The kube-proxy of the first worker node: a Pod that is not ours."""

    tier: ClassVar[Tier] = Tier.KERNEL

    def __str__(self) -> str:
        return "kube-proxy"

    def place(self, view: View) -> Place:
        """Its container."""
        node = worker(view, 0).name
        proxies = [
            pod
            for pod in view.snapshot.pods
            if pod.namespace == "kube-system" and pod.labels.get("k8s-app") == "kube-proxy"
        ]
        for pod in proxies:
            if pod.node == node:
                return view.place(pod)
        if proxies:
            look = "kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide"
            raise MissingPeer(f"no kube-proxy runs on {node}, and on other nodes it does: look with {look}")
        raise NotHere(f"no kube-proxy runs on {node}: something else serves this cluster's Services")


def worker(view: View, index: int, first: Collection[str] = ()) -> NodeInfo:
    """A worker node by its place in the order of names, some of them ``first``.

    Raises NotHere where there are fewer, or NodeDown.
    """
    workers = sorted(view.snapshot.workers, key=lambda node: (node.name not in first, node.name))
    if index >= len(workers):
        raise NotHere(f"the cluster has {len(workers)} worker nodes, not {index + 1}")
    answering(view, workers[index].name)
    return workers[index]


def answering(view: View, node: str) -> None:
    """Raises NodeDown for a node that does not answer: what runs there, or would, cannot be told."""
    if why := view.silent.get(node):
        raise NodeDown(f"node {node} does not answer: {why}")


def no_client(node: str) -> MissingPeer:
    """The platform runs a client on every worker node; this one has none that is ready."""
    look = "kubectl -n podpath-system get pods"
    return MissingPeer(f"no client Pod is ready on {node}: look with {look}")
