"""Servers behind Services that differ in one setting each, and Pods that a policy guards."""

from __future__ import annotations

from pulumi_kubernetes.core import v1
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from labs.containers import beside, server, serving_pod
from labs.lab import Lab

SIZE = ("10m", "16Mi")
DATAGRAM_PORT = 5300
FAREWELL = 6
"""Seconds that a Pod of ``graceful`` goes on serving after it was deleted: kube-proxy follows within one, or
within five on a busy machine."""


class Pitfalls(Lab):
    """Deployments ``server``, ``guarded`` and ``datagram`` of two Pods each on two nodes; others of one."""

    def build(self) -> None:
        """Services ``server``, ``sticky``, ``brief`` and ``near`` are in front of the same Pods."""
        port, pods = {80: "nginx"}, {"app": "server"}
        for name, replicas in (("server", 2), ("lone", 1)):
            self.deployment(name, replicas, serving_pod({"nginx": self._nginx()}))
        self.deployment("guarded", 2, serving_pod({"nginx": self._nginx()}, affinity=beside(pods)))
        self.service("server", port, selects=pods, dual=True)
        self.service("sticky", port, selects=pods, sticky=True, dual=True)
        self.service("brief", port, selects=pods, sticky=True, timeout=1, dual=True)
        self.service("near", port, selects=pods, local=True, dual=True)
        self.service("lone", port, selects={"app": "lone"}, local=True, dual=True)
        self._datagram()
        self._rolled()
        self._policy()

    def _nginx(self, farewell: int = 0) -> v1.ContainerArgs:
        waits = ["sleep", str(farewell)] if farewell else []
        return server(self.images, "nginx", 80, SIZE, started="/whoami", last_words=waits)

    def _datagram(self) -> None:
        """Two UDP servers behind a clusterIP and a node port."""
        answers = server(self.images, "datagram", DATAGRAM_PORT, SIZE, protocol="UDP")
        near = beside({"app": "server"})
        self.deployment("datagram", 2, serving_pod({"datagram": answers}, affinity=near))
        ports, pods = {DATAGRAM_PORT: "datagram"}, {"app": "datagram"}
        self.service("datagram", ports, selects=pods, kind="NodePort", protocol="UDP")

    def _rolled(self) -> None:
        """Two Deployments of a Pod each that are rolled: the Pod of the first waits before it ends."""
        for name, farewell in (("graceful", FAREWELL), ("abrupt", 0)):
            spec = serving_pod({"nginx": self._nginx(farewell)}, grace=1 + farewell)
            self.deployment(name, 1, spec, at_once=True)
            self.service(name, {80: "nginx"}, selects={"app": name})

    def _policy(self) -> None:
        """Lets the Pods ``server`` in to the Pods ``guarded``, and nobody else."""
        allowed = networking.NetworkPolicyPeerArgs(
            pod_selector=meta.LabelSelectorArgs(match_labels={"app": "server"})
        )
        networking.NetworkPolicy(
            self.urn_name("guarded"),
            metadata=self.meta("guarded"),
            spec=networking.NetworkPolicySpecArgs(
                pod_selector=meta.LabelSelectorArgs(match_labels={"app": "guarded"}),
                policy_types=["Ingress"],
                ingress=[networking.NetworkPolicyIngressRuleArgs(from_=[allowed])],
            ),
            opts=self.gone_with_namespace(),
        )


COMPONENT = Pitfalls
