"""On which terms a cluster was given: what ``stacks/<stack>.yaml`` says below ``provider: given``.

Nothing is taken from the cluster's defaults: what is not written is not made there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scripts.errors import UsageError
from scripts.stack.profile import registry_fault
from scripts.tiers import Tier

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class Terms(BaseModel):
    """What may be made on a given cluster, and from where. Paths begin at the checkout, or with ~.

    ``images`` are the workloads' images by name, beside or instead of those that `scripts/images push` put
    into ``registry``; ``pullSecret`` is a Docker configuration file with what nodes need to pull them.
    ``ipFamily``: ``dual`` asks by IPv6, too. ``loadBalancer``, ``ingressClass`` and ``gatewayClass`` are
    classes; ``default`` is the cluster's own of load balancers, and ``none`` makes no such object. ``rights``
    are those of the node agent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    provider: Literal["given"]
    kubeconfig: str = "~/.kube/config"
    context: str = Field(min_length=1)
    registry: str = ""
    images: dict[str, str] = {}
    pullSecret: str = ""
    ipFamily: Literal["ipv4", "dual"] = "ipv4"
    clusterDomain: str = "cluster.local"
    loadBalancer: str = "none"
    ingressClass: str = "none"
    gatewayClass: str = "none"
    outside: Literal["none"] = "none"
    rights: Literal["privileged", "none"] = "privileged"
    tier: Tier = Tier.KERNEL

    @property
    def may(self) -> Tier:
        """The highest tier of a check that may run there: without rights no kernel can be looked at."""
        return self.tier if self.rights == "privileged" else min(self.tier, Tier.DOORS)

    @property
    def agent(self) -> bool:
        """Whether the node agent is made there."""
        return self.may >= Tier.KERNEL

    @property
    def blind(self) -> str:
        """Why no node's kernel is looked at, as the stack has it; empty where it is."""
        if self.agent:
            return ""
        return "rights: none" if self.rights == "none" else f"tier: {self.tier.value}"

    def path(self, root: Path, written: str) -> Path:
        """A path that the stack names."""
        return root / Path(written).expanduser()


def read_terms(loaded: Mapping[str, Any], file: str) -> Terms:
    """The terms in a stack's ``file``; raises UsageError that names the first setting that is wrong."""
    try:
        terms = Terms.model_validate(loaded)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(Terms.model_fields)
            raise UsageError(f"{file} has a setting {name!r}: it knows {known}.") from None
        if first["type"] == "missing":
            raise UsageError(f"{file} has no setting {name!r}: write one.") from None
        raise UsageError(f"{name} in {file} is {first['input']!r}: {_wanted(first['msg'])}.") from None
    for name, value in (("clusterDomain", terms.clusterDomain), *_classes(terms)):
        if not NAME.fullmatch(value):
            raise UsageError(f"{name} in {file} is {value!r}: write a name of lower-case letters and digits.")
    if fault := registry_fault(terms.registry):
        raise UsageError(f"registry in {file} is {terms.registry!r}: {fault}")
    return terms


def _classes(terms: Terms) -> list[tuple[str, str]]:
    names = ("loadBalancer", "ingressClass", "gatewayClass")
    return [(name, getattr(terms, name)) for name in names]


def _wanted(said: str) -> str:
    told = said.replace("Input should be", "it should be")
    return told[:1].lower() + told[1:]
