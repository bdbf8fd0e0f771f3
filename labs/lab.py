"""What every lab consists of: a component with a namespace of its own, and its exports for the probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1
from pulumi_kubernetes.meta import v1 as meta

from labs.containers import spread
from labs.target import Images
from labs.terms import NONE, Terms

AWAITED = pulumi.CustomTimeouts(create="2m", update="2m", delete="2m")
"""Limits for every object: the provider's own ten minutes only hide a missing load balancer or image."""

NOT_AWAITED = {"pulumi.com/skipAwait": "true"}


class Exports(TypedDict):
    """A lab's part of the stack's output ``labs``, read by the probes."""

    namespace: pulumi.Input[str]
    pods: dict[str, dict[str, pulumi.Input[str]]]
    services: dict[str, dict[str, pulumi.Input[dict[str, int]]]]
    ingresses: dict[str, dict[str, object]]
    gateways: NotRequired[dict[str, dict[str, object]]]


class Lab(pulumi.ComponentResource):
    """A lab's objects in the namespace ``podpath-<lab>``, which enforces Pod Security ``restricted``."""

    exports: Exports
    stack_outputs: Mapping[str, pulumi.Output[str | None]]

    def __init__(
        self,
        lab: str,
        images: Images,
        opts: pulumi.ResourceOptions | None = None,
        terms: Terms | None = None,
    ) -> None:
        self.terms = terms or Terms()
        placed = pulumi.ResourceOptions.merge(opts, self.terms.placed())
        super().__init__(f"podpath:labs:{type(self).__name__}", lab, None, placed)
        self.lab = lab
        self.images = images
        self.namespace = namespace(
            f"podpath-{lab}", "restricted", pulumi.ResourceOptions(parent=self), self.terms.labels
        )
        self.terms.secret(self.urn_name("pull"), self.namespace.metadata.name, self.gone_with_namespace())
        self.exports = {
            "namespace": self.namespace.metadata.name,
            "pods": {},
            "services": {},
            "ingresses": {},
        }
        self.stack_outputs = {}
        self.build()
        self.register_outputs({"exports": self.exports})

    def build(self) -> None:
        """Declares the lab's objects and fills ``exports`` from them."""
        raise NotImplementedError

    def urn_name(self, name: str) -> str:
        """The logical name of a child: an object ``frontend`` exists in several labs."""
        return f"{self.lab}-{name}"

    def meta(
        self,
        name: str,
        labels: pulumi.Input[Mapping[str, str]] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> meta.ObjectMetaArgs:
        """The metadata of an object in the lab's namespace."""
        namespace = self.namespace.metadata.name
        return meta.ObjectMetaArgs(name=name, namespace=namespace, labels=labels, annotations=annotations)

    def gone_with_namespace(self) -> pulumi.ResourceOptions:
        """For objects with nothing outside the cluster: deleting the namespace deletes them."""
        return pulumi.ResourceOptions(parent=self, deleted_with=self.namespace, custom_timeouts=AWAITED)

    def deleted_alone(self) -> pulumi.ResourceOptions:
        """For load balancers and Ingresses: deleted one by one, or their finalizer holds the namespace."""
        return pulumi.ResourceOptions(parent=self, custom_timeouts=AWAITED)

    def deployment(
        self, name: str, replicas: int, spec: v1.PodSpecArgs, awaited: bool = True, at_once: bool = False
    ) -> apps.Deployment:
        """A Deployment of Pods labelled ``app=<name>``; its selector is exported for the probes.

        ``at_once``: when it is rolled, all new Pods are made first, and then all old ones end. If it is not
        ``awaited``, objects that use its outputs are created beside its Pods, not after them.
        """
        labels = {"app": name}
        spec.topology_spread_constraints = [spread(labels)] if replicas > 1 else None
        deployed = apps.Deployment(
            self.urn_name(name),
            metadata=self.meta(name, annotations=None if awaited else NOT_AWAITED),
            spec=apps.DeploymentSpecArgs(
                selector=meta.LabelSelectorArgs(match_labels=labels),
                replicas=replicas,
                strategy=_all_at_once() if at_once else None,
                template=v1.PodTemplateSpecArgs(metadata=meta.ObjectMetaArgs(labels=labels), spec=spec),
            ),
            opts=self.gone_with_namespace(),
        )
        # From the labels, not from the object: an object that names a Secret is a secret output altogether.
        self.exports["pods"][name] = {"selector": selector(labels)}
        return deployed

    def service(
        self,
        name: str,
        ports: Mapping[int, str],
        selects: pulumi.Input[Mapping[str, str]],
        *,
        labels: pulumi.Input[Mapping[str, str]] | None = None,
        kind: str | None = None,
        headless: bool = False,
        policy: str | None = None,
        sticky: bool = False,
        timeout: int | None = None,
        local: bool = False,
        protocol: str | None = None,
        dual: bool = False,
    ) -> v1.Service:
        """A Service of ``ports`` (number → name); its ports are exported for the probes.

        ``policy`` is its external traffic policy, ``Cluster`` or ``Local``; ``local`` is its internal one.
        ``sticky`` keeps each client at a Pod, for ``timeout`` seconds. Only a load balancer is waited
        for: the Pods are, too, and a provider gives a Service's endpoints ten seconds to settle. Where the
        terms allow no load balancer it has node ports. ``dual``: it has an address of each family, where the
        cluster has two.
        """
        if kind == "LoadBalancer" and self.terms.balancer == NONE:
            kind = "NodePort"
        balanced = kind == "LoadBalancer"
        service = v1.Service(
            self.urn_name(name),
            metadata=self.meta(name, labels, None if balanced else NOT_AWAITED),
            spec=v1.ServiceSpecArgs(
                type=kind,
                load_balancer_class=(self.terms.balancer or None) if balanced else None,
                cluster_ip="None" if headless else None,
                ip_family_policy="PreferDualStack" if dual and self.terms.dual else None,
                external_traffic_policy=policy,
                internal_traffic_policy="Local" if local else None,
                session_affinity="ClientIP" if sticky else None,
                session_affinity_config=_kept_for(timeout) if timeout else None,
                ports=[
                    v1.ServicePortArgs(name=text, port=port, protocol=protocol)
                    for port, text in ports.items()
                ],
                selector=selects,
            ),
            opts=self.deleted_alone() if balanced else self.gone_with_namespace(),
        )
        self.exports["services"][name] = {"ports": service.spec.ports.apply(numbers)}
        return service


def _all_at_once() -> apps.DeploymentStrategyArgs:
    how = apps.RollingUpdateDeploymentArgs(max_surge="100%", max_unavailable=0)
    return apps.DeploymentStrategyArgs(type="RollingUpdate", rolling_update=how)


def _kept_for(seconds: int) -> v1.SessionAffinityConfigArgs:
    return v1.SessionAffinityConfigArgs(client_ip=v1.ClientIPConfigArgs(timeout_seconds=seconds))


def namespace(
    name: str, level: str, opts: pulumi.ResourceOptions, more: Mapping[str, str] | None = None
) -> k8s.core.v1.Namespace:
    """A namespace that enforces a Pod Security level; its labels, and ``more``, say which stack made it.

    Recovery deletes namespaces by these labels (scripts/stack/deploy.py): a name proves nothing.
    """
    labels = {
        "pod-security.kubernetes.io/enforce": level,
        "app.kubernetes.io/managed-by": "podpath",
        "podpath/stack": pulumi.get_stack(),
        **(more or {}),
    }
    return v1.Namespace(name, metadata=meta.ObjectMetaArgs(name=name, labels=labels), opts=opts)


def selector(labels: Mapping[str, str]) -> str:
    """A label selector as ``kubectl --selector`` takes it."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def numbers(ports: list[v1.outputs.ServicePort]) -> dict[str, int]:
    """A Service's ports by name."""
    return {port.name or str(port.port): int(port.port) for port in ports}
