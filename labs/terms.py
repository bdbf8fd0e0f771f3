"""On which terms the labs are deployed: what a given cluster allows, or everything on one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes.core import v1
from pulumi_kubernetes.meta import v1 as meta

NONE = "none"
"""A class of which nothing is made."""
OURS = "cloud-provider-kind"
PULL_SECRET = "podpath-pull"


@dataclass(frozen=True)
class Terms:
    """What is made, and how it is labelled.

    ``labels`` are more labels of every namespace; without ``agent`` no node agent is made. ``balancer`` is
    the class of load balancers (empty: the cluster's own), ``ingress`` and ``gateway`` those of Ingresses and
    Gateways. ``pull_secret`` is a Docker configuration with what nodes need to pull the images, or empty.
    ``linux_only`` keeps Pods to nodes that run Linux. ``alone``: one node alone runs Pods.
    ``workers`` are so many on a cluster of our own. ``dual``: Services that the labs ask by both families
    have an address of each.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    agent: bool = True
    balancer: str = ""
    ingress: str = OURS
    gateway: str = OURS
    pull_secret: str = field(default="", repr=False)
    linux_only: bool = False
    alone: bool = False
    dual: bool = False
    workers: int = 2

    def placed(self) -> pulumi.ResourceOptions:
        """Options that give every Pod below a component its node selector and its pull secret."""
        if not (self.linux_only or self.pull_secret):
            return pulumi.ResourceOptions()
        return pulumi.ResourceOptions(transformations=[self._adapted])

    def secret(
        self, name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions
    ) -> v1.Secret | None:
        """The Secret with which the Pods of a namespace pull their images, where one is needed."""
        if not self.pull_secret:
            return None
        return v1.Secret(
            name,
            metadata=meta.ObjectMetaArgs(name=PULL_SECRET, namespace=namespace),
            type="kubernetes.io/dockerconfigjson",
            string_data={".dockerconfigjson": pulumi.Output.secret(self.pull_secret)},
            opts=opts,
        )

    def _adapted(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        pod = _pod_spec(args.props)
        if pod is None:
            return None
        if self.linux_only:
            pod.node_selector = {"kubernetes.io/os": "linux"}
        if self.pull_secret:
            pod.image_pull_secrets = [v1.LocalObjectReferenceArgs(name=PULL_SECRET)]
        return pulumi.ResourceTransformationResult(args.props, args.opts)


def read_terms(loaded: Mapping[str, Any], root: Path) -> Terms:
    """The terms that ``scripts/up`` wrote down; raises OSError where the pull secret's file is missing."""
    if not loaded["given"]:
        return Terms(alone=loaded["alone"], dual=loaded.get("dual", False), workers=loaded.get("workers", 2))
    secret = loaded["pullSecret"]
    return Terms(
        labels=loaded["labels"],
        agent=loaded["agent"],
        balancer=loaded["balancer"],
        ingress=loaded["ingress"],
        gateway=loaded["gateway"],
        pull_secret=(root / Path(secret).expanduser()).read_text() if secret else "",
        linux_only=True,
        alone=loaded["alone"],
        dual=loaded.get("dual", False),
    )


def _pod_spec(props: Mapping[str, Any]) -> v1.PodSpecArgs | None:
    """The Pod's spec in a resource's inputs: its own, or that of its template."""
    spec = props.get("spec")
    if isinstance(spec, v1.PodSpecArgs):
        return spec
    template = getattr(spec, "template", None)
    found = getattr(template, "spec", None)
    return found if isinstance(found, v1.PodSpecArgs) else None
