"""What the probes need besides the labs: a client on every worker, and an agent on every node if allowed."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1
from pulumi_kubernetes.meta import v1 as meta

from labs.containers import requests, restricted, server, serving_pod
from labs.lab import namespace, selector
from labs.target import Images
from labs.terms import Terms

NAMESPACE = "podpath-system"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""The annotation by which `kubectl exec` knows which container is meant where none is named."""
SIZE = ("10m", "16Mi")
AGENT_RIGHTS = (
    "The one exception to least rights: reading a node's conntrack table, rules and packets needs its network"
    " namespace and NET_ADMIN and NET_RAW in it; tcpdump also sets its groups (SETGID). It serves nothing."
)


class Platform(pulumi.ComponentResource):
    """The DaemonSets ``node-agent`` (the kernel's view) and ``client`` (where requests start)."""

    def __init__(
        self,
        name: str,
        images: Images,
        opts: pulumi.ResourceOptions | None = None,
        terms: Terms | None = None,
    ) -> None:
        terms = terms or Terms()
        placed = pulumi.ResourceOptions.merge(opts, terms.placed())
        super().__init__("podpath:labs:Platform", name, None, placed)
        self.images = images
        level = "privileged" if terms.agent else "restricted"
        self.namespace = namespace(NAMESPACE, level, pulumi.ResourceOptions(parent=self), terms.labels)
        inside = pulumi.ResourceOptions(parent=self, deleted_with=self.namespace)
        terms.secret("platform-pull", self.namespace.metadata.name, inside)
        self.exports: dict[str, object] = {"namespace": self.namespace.metadata.name}
        if terms.agent:
            agent = self._on_nodes("node-agent", self._agent(), {"podpath/rights": AGENT_RIGHTS})
            self.exports["agent"] = {"selector": agent.spec.selector.match_labels.apply(selector)}
        client = self._on_nodes("client", self._client(), {DEFAULT_CONTAINER: "client"})
        self.exports["client"] = {"selector": client.spec.selector.match_labels.apply(selector)}
        self.register_outputs({"exports": self.exports})

    def _on_nodes(
        self, name: str, spec: v1.PodSpecArgs, notes: dict[str, str] | None = None
    ) -> apps.DaemonSet:
        labels = {"app": name}
        return apps.DaemonSet(
            f"platform-{name}",
            metadata=meta.ObjectMetaArgs(name=name, namespace=self.namespace.metadata.name),
            spec=apps.DaemonSetSpecArgs(
                selector=meta.LabelSelectorArgs(match_labels=labels),
                template=v1.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=labels, annotations=notes), spec=spec
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, deleted_with=self.namespace),
        )

    def _agent(self) -> v1.PodSpecArgs:
        """Root on the host's network, on every node whatever its taints."""
        rights = restricted()
        rights.capabilities = v1.CapabilitiesArgs(drop=["ALL"], add=["NET_ADMIN", "NET_RAW", "SETGID"])
        return v1.PodSpecArgs(
            automount_service_account_token=False,
            enable_service_links=False,
            termination_grace_period_seconds=1,
            host_network=True,
            tolerations=[v1.TolerationArgs(operator="Exists")],
            security_context=v1.PodSecurityContextArgs(
                run_as_user=0, seccomp_profile=v1.SeccompProfileArgs(type="RuntimeDefault")
            ),
            containers=[self._container("node-agent", rights)],
            volumes=[v1.VolumeArgs(name="node-agent-tmp", empty_dir=v1.EmptyDirVolumeSourceArgs())],
        )

    def _client(self) -> v1.PodSpecArgs:
        """No rights at all; the control plane's taint keeps it to the workers.

        Its nginx is what the clients of other nodes ask.
        """
        asking = self._container("client", restricted())
        answering = server(self.images, "nginx", 80, SIZE, started="/whoami")
        pod = serving_pod({"client": asking, "nginx": answering})
        pod.enable_service_links = False
        return pod

    def _container(self, workload: str, rights: v1.SecurityContextArgs) -> v1.ContainerArgs:
        return v1.ContainerArgs(
            name=workload,
            image=self.images.of(workload),
            image_pull_policy="IfNotPresent",
            resources=requests(*SIZE),
            security_context=rights,
            volume_mounts=[v1.VolumeMountArgs(name=f"{workload}-tmp", mount_path="/tmp")],
        )
