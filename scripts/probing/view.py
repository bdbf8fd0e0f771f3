"""The world as probes see it: the API's snapshot, and what the stack exports about its labs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.cluster.outside import OutsideWorld
from scripts.probing.snapshot import Endpoint, PodInfo, ServiceInfo, Snapshot


class NotHere(Exception):
    """This cluster has no such peer, by its shape or by choice: the probe is skipped, with this reason."""


class MissingPeer(Exception):
    """The peer should be there and is not: the probe fails, with this reason."""


@dataclass(frozen=True)
class View:
    """A snapshot read with the stack's exports; ``outside`` is the world outside the cluster, if any."""

    snapshot: Snapshot
    exports: Mapping[str, Any]
    stack: str = "kind"
    outside: OutsideWorld | None = None
    _selected: dict[str, list[PodInfo]] = field(default_factory=dict, init=False, compare=False, repr=False)

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
        found = self._select(self.namespace(lab), where)
        if not found:
            namespace = self.namespace(lab)
            raise MissingPeer(
                f"no Pod of {workload} is ready: look with kubectl -n {namespace} describe pods"
            )
        return found

    def clients(self) -> list[PodInfo]:
        """The client Pods, by the name of their worker node."""
        return sorted(self._platform("client"), key=lambda pod: pod.node)

    def agents(self) -> dict[str, PodInfo]:
        """The node-agent Pods by node."""
        return {pod.node: pod for pod in self._platform("agent")}

    def service(self, lab: str, service: str) -> ServiceInfo:
        """A lab's Service; raises MissingPeer when the API has none of that name."""
        namespace = self.namespace(lab)
        found = self.snapshot.services.get((namespace, service))
        if found is None:
            raise MissingPeer(f"the Service {service} is gone: look with kubectl -n {namespace} get services")
        return found

    def endpoints(self, lab: str, service: str) -> tuple[Endpoint, ...]:
        """The ready endpoints of a lab's Service."""
        behind = self.snapshot.endpoints.get((self.namespace(lab), service), ())
        return tuple(endpoint for endpoint in behind if endpoint.ready)

    def _platform(self, what: str) -> list[PodInfo]:
        platform = self.exports.get("platform")
        if not platform or what not in platform:
            return []
        return self._select(platform["namespace"], platform[what])

    def _select(self, namespace: str, where: Mapping[str, str]) -> list[PodInfo]:
        """The ready Pods that stay, by ``name`` or equality ``selector``; looked for once each."""
        key = f"{namespace} {sorted(where.items())}"
        if key not in self._selected:
            labels = dict(part.split("=", 1) for part in where.get("selector", "").split(",") if part)
            self._selected[key] = sorted(
                (
                    pod
                    for pod in self.snapshot.pods
                    if pod.namespace == namespace
                    and pod.ready
                    and not pod.leaving
                    and where.get("name", pod.name) == pod.name
                    and labels.items() <= pod.labels.items()
                ),
                key=lambda pod: pod.name,
            )
        return self._selected[key]
