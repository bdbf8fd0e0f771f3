"""The world as probes see it: the API's snapshot, and what the stack exports about its labs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scripts.evidence.snapshot import DOMAIN, Endpoint, PodInfo, ServiceInfo, Snapshot
from scripts.evidence.world import OutsideWorld
from scripts.tiers import Tier
from scripts.transport.executor import Place


class NotHere(Exception):
    """This cluster has no such peer, by its shape or by choice: the probe is skipped for this reason."""


class NodeDown(Exception):
    """The peer is on a node that does not answer: its probe is inconclusive for this reason."""


class MissingPeer(Exception):
    """The peer should be there and is not: the probe fails for this reason."""


@dataclass(frozen=True)
class View:
    """A snapshot read with the stack's exports; ``outside`` is the world outside the cluster, if any."""

    snapshot: Snapshot
    exports: Mapping[str, Any]
    stack: str = "kind"
    outside: OutsideWorld | None = None
    silent: Mapping[str, str] = field(default_factory=dict)
    """The nodes that do not answer, each with the reason."""
    tier: Tier = Tier.BREAK
    """What may be done here."""
    blind: str = ""
    """Why no node's kernel is looked at on purpose; empty where it is."""
    fenced: bool = True
    """Whether podpath keeps packets in that nothing in the cluster serves: it fences no given cluster."""
    domain: str = DOMAIN
    """The cluster's DNS domain."""
    clocks: str = ""
    """Why no delay between this machine and a node is told; empty where they go by one clock."""
    _other: dict[int, View] = field(default_factory=dict, init=False, compare=False, repr=False)
    _ips: dict[str, dict[str, str]] = field(default_factory=dict, init=False, compare=False, repr=False)
    _selected: dict[str, list[PodInfo]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def by(self, family: int) -> View:
        """The cluster by its addresses of a family (4, 6; 0: its own first). Raises NotHere without them."""
        if family in (0, self.snapshot.family):
            return self
        if family not in self.snapshot.families:
            raise NotHere(f"not every node of this cluster has an IPv{family} address")
        if family not in self._other:
            self._other[family] = replace(self, snapshot=self.snapshot.in_family(family))
        return self._other[family]

    def lab(self, lab: str) -> Mapping[str, Any]:
        """A lab's exports; raises NotHere when it is not deployed."""
        found: Mapping[str, Any] | None = self.exports.get("labs", {}).get(lab)
        if found is None:
            raise NotHere(f"the lab {lab} is not deployed: scripts/up {self.stack} deploys it")
        return found

    def namespace(self, lab: str) -> str:
        """The namespace of a lab."""
        return str(self.lab(lab)["namespace"])

    def pods(self, lab: str, workload: str) -> list[PodInfo]:
        """The ready Pods of a lab's workload by name; raises MissingPeer when there is none."""
        where = self.lab(lab)["pods"].get(workload)
        if where is None:
            raise NotHere(f"the lab {lab} exports no workload {workload}")
        namespace = self.namespace(lab)
        found = self._select(namespace, where)
        if not found:
            for pod in self._matching(namespace, where):
                if why := self.silent.get(pod.node):
                    raise NodeDown(f"{pod.name} is on {pod.node}, which does not answer: {why}")
            raise MissingPeer(
                f"no Pod of {workload} is ready: look with kubectl -n {namespace} describe pods"
            )
        return found

    def pod_ips(self, namespace: str) -> dict[str, str]:
        """The IPs of all Pods of a namespace, by name, as the API has them; kept once found."""
        if namespace not in self._ips:
            of = (pod for pod in self.snapshot.pods if pod.namespace == namespace)
            self._ips[namespace] = {pod.name: pod.ip for pod in of}
        return self._ips[namespace]

    def nodes_of(self, lab: str, workload: str) -> frozenset[str]:
        """The nodes that run Pods of a lab's workload, ready or not."""
        where = self.lab(lab)["pods"].get(workload)
        found = self._matching(self.namespace(lab), where) if where else ()
        return frozenset(pod.node for pod in found if not pod.leaving)

    def clients(self) -> list[PodInfo]:
        """The client Pods, by the name of their worker node."""
        return sorted(self._platform("client"), key=lambda pod: pod.node)

    def agents(self) -> dict[str, PodInfo]:
        """The node-agent Pods by node."""
        return {pod.node: pod for pod in self._platform("agent")}

    def place(self, pod: PodInfo, container: str = "") -> Place:
        """A container of a Pod, by default its first, as a place to run programs."""
        return Place(container or pod.containers[0], pod.namespace, pod.name, pod.uid, pod.ip, pod.node)

    def agent_places(self) -> dict[str, Place]:
        """The node agents by node, each on its node's own network."""
        return {node: self.place(pod) for node, pod in self.agents().items()}

    def agent(self, node: str) -> Place:
        """The node agent of a node; raises MissingPeer where there is none, NodeDown on a silent node."""
        if why := self.silent.get(node):
            raise NodeDown(f"node {node} does not answer: {why}")
        agent = self.agent_places().get(node)
        if agent is None:
            look = "kubectl -n podpath-system get pods"
            raise MissingPeer(f"no node-agent is ready on {node}: look with {look}")
        return agent

    @property
    def world(self) -> OutsideWorld:
        """The world outside the cluster; raises NotHere where the stack has none."""
        if self.outside is None:
            raise NotHere("this stack has no world outside the cluster")
        return self.outside

    def service(self, lab: str, service: str) -> ServiceInfo:
        """A lab's Service; raises MissingPeer when the API has none of that name."""
        namespace = self.namespace(lab)
        found = self.snapshot.services.get((namespace, service))
        if found is None:
            raise MissingPeer(f"the Service {service} is gone: look with kubectl -n {namespace} get services")
        if found.cluster_ips and not found.cluster_ip:
            raise NotHere(f"the Service {service} has no IPv{self.snapshot.family} address")
        return found

    def endpoints(self, lab: str, service: str) -> tuple[Endpoint, ...]:
        """The ready endpoints of a lab's Service."""
        behind = self.snapshot.endpoints.get((self.namespace(lab), service), ())
        return tuple(endpoint for endpoint in behind if endpoint.ready)

    def strangers(self, service: ServiceInfo) -> list[str]:
        """Endpoints of a Service that its selector does not select, each in words.

        Only for a Service with a selector: the EndpointSlices of others are written by their owners.
        """
        selected = {pod.ip for pod in self.snapshot.pods if service.selects(pod)}
        owners = {pod.ip: f"Pod {pod.namespace}/{pod.name}" for pod in self.snapshot.pods if pod.ip}
        behind = self.snapshot.endpoints.get((service.namespace, service.name), ())
        found = []
        for one in behind if service.selector else ():
            if one.ip not in selected:
                owner = owners.get(one.ip)
                whose = f"{owner}, which its selector does not select" if owner else "which is no Pod's"
                found.append(f"EndpointSlice {one.slice} names {one.ip}, {whose}")
        return found

    def _platform(self, what: str) -> list[PodInfo]:
        platform = self.exports.get("platform")
        if not platform or what not in platform:
            return []
        return self._select(platform["namespace"], platform[what])

    def _matching(self, namespace: str, where: Mapping[str, str]) -> list[PodInfo]:
        """All Pods, ready or not, by ``name`` or equality ``selector``."""
        labels = dict(part.split("=", 1) for part in where.get("selector", "").split(",") if part)
        return [
            pod
            for pod in self.snapshot.pods
            if pod.namespace == namespace
            and where.get("name", pod.name) == pod.name
            and labels.items() <= pod.labels.items()
        ]

    def _select(self, namespace: str, where: Mapping[str, str]) -> list[PodInfo]:
        """The ready Pods that are not terminating, by ``name`` or equality ``selector``; kept once found.

        What the API reports about Pods on a node that does not answer is out of date: none of them counts.
        """
        key = f"{namespace} {sorted(where.items())}"
        if key not in self._selected:
            ready = [
                pod
                for pod in self._matching(namespace, where)
                if pod.ready and not pod.leaving and pod.node not in self.silent
            ]
            self._selected[key] = sorted(ready, key=lambda pod: pod.name)
        return self._selected[key]
