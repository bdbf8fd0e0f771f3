"""The article's Deployment and Service ``frontend``, and a headless StatefulSet ``peer`` for DNS."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1
from pulumi_kubernetes.meta import v1 as meta

from labs.containers import PORT_NAMES, server, serving_pod
from labs.lab import Lab

SIZE = ("100m", "100Mi")
ENV = {"GET_HOSTS_FROM": "env"}


class PodToService(Lab):
    """Three replicas behind a LoadBalancer, two Pods with names of their own, and two that may join."""

    def build(self) -> None:
        """Deployment and Service as printed: the Service takes labels and selector from the Deployment.

        Pulumi waits for the Service until its Pods are ready, so it does not wait for the Deployment: that
        would be one wait after the other.
        """
        frontend = self.deployment(
            "frontend",
            3,
            serving_pod(
                {
                    "nginx": server(self.images, "nginx", 80, SIZE, env=ENV),
                    "webapp": server(self.images, "webapp", 8080, SIZE, env=ENV),
                }
            ),
            awaited=False,
        )
        service = self.service(
            "frontend",
            PORT_NAMES,
            selects=frontend.spec.template.metadata.labels,
            labels=frontend.metadata.labels,
            kind="LoadBalancer",
            dual=True,
        )
        self.stack_outputs = {"frontendIp": service.status.apply(advertised)}
        self._peer()
        for name in ("spare", "spare-ready"):
            self._spare(name, service)

    def _spare(self, name: str, service: v1.Service) -> None:
        """A Pod that joins the Service for a while: created after it, with or without a readiness probe."""
        nginx = server(self.images, "nginx", 80, ("10m", "16Mi"), started="/whoami")
        if name.endswith("-ready"):
            get = v1.HTTPGetActionArgs(path="/whoami", port=80)
            nginx.readiness_probe = v1.ProbeArgs(http_get=get, period_seconds=1, failure_threshold=1)
        later = pulumi.ResourceOptions(depends_on=[service])
        pod = v1.Pod(
            self.urn_name(name),
            metadata=self.meta(name, {"app": name}),
            spec=serving_pod({"nginx": nginx}),
            opts=pulumi.ResourceOptions.merge(self.gone_with_namespace(), later),
        )
        self.exports["pods"][name] = {"name": pod.metadata.name}

    def _peer(self) -> None:
        """Two Pods that claim S8 looks up by name.

        The StatefulSet names its Service by a constant: a provider that waits for a Service's
        endpoints would otherwise wait for Pods that wait for the Service.
        """
        labels = {"app": "peer"}
        apps.StatefulSet(
            self.urn_name("peer"),
            metadata=self.meta("peer"),
            spec=apps.StatefulSetSpecArgs(
                service_name="peer",
                replicas=2,
                pod_management_policy="Parallel",
                selector=meta.LabelSelectorArgs(match_labels=labels),
                template=v1.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=labels),
                    spec=serving_pod(
                        {"nginx": server(self.images, "nginx", 80, ("10m", "16Mi"), started="/whoami")}
                    ),
                ),
            ),
            opts=self.gone_with_namespace(),
        )
        self.service("peer", {80: "nginx"}, selects=labels, headless=True, dual=True)
        self.exports["pods"]["peer"] = {"selector": "app=peer"}


def advertised(status: v1.outputs.ServiceStatus | None) -> str | None:
    """The IP that a Service's status advertises; None while it advertises none (a preview has no status)."""
    balancer = status.load_balancer if status else None
    ingress = balancer.ingress if balancer else None
    return ingress[0].ip if ingress else None


COMPONENT = PodToService
