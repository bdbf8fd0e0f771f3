"""A stack's cluster profile: what ``stacks/<stack>.yaml`` says, and where its state lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import UsageError
from scripts.paths import STACKS, STATE, private_folder


@dataclass(frozen=True)
class Profile:
    """One stack: its kind configuration (stacks/<stack>.yaml) and its folder .podpath/<stack>/."""

    stack: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """The kind configuration as written."""
        loaded: dict[str, Any] = yaml.safe_load((STACKS / f"{self.stack}.yaml").read_text())
        return loaded

    @property
    def cluster(self) -> str:
        """The kind cluster's name."""
        return str(self.config["name"])

    @property
    def pod_subnet(self) -> str:
        """The range of all Pod IPs (CIDR)."""
        return str(self.config["networking"]["podSubnet"])

    @property
    def service_subnet(self) -> str:
        """The range of all clusterIPs (CIDR)."""
        return str(self.config["networking"]["serviceSubnet"])

    @property
    def folder(self) -> Path:
        """The stack's state in the checkout."""
        return private_folder(STATE / self.stack)

    @property
    def kubeconfig(self) -> Path:
        """The cluster's kubeconfig, mode 0600."""
        return self.folder / "kubeconfig"

    @property
    def network(self) -> str:
        """The Docker network of the cluster: its own, so that the fence closes nobody else's."""
        return self.cluster

    @property
    def kind_env(self) -> dict[str, str]:
        """What kind and cloud-provider-kind need to know to use that network."""
        return {"KIND_EXPERIMENTAL_DOCKER_NETWORK": self.network}

    @property
    def outside(self) -> str:
        """The name of the container that plays the host outside the cluster."""
        return f"{self.cluster}-outside"

    @property
    def balancer_images(self) -> str:
        """The registry name under which cloud-provider-kind finds a locally built Envoy image."""
        return "podpath.local"


def stacks() -> list[str]:
    """The names of all stacks, sorted."""
    return sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in STACKS.glob("Pulumi.*.yaml")
    )


def profile_of(stack: str) -> Profile:
    """The profile of a stack; raises UsageError for one that ``stacks/`` does not name."""
    if stack not in stacks():
        raise UsageError(f"there is no stack {stack!r}: choose one of {', '.join(stacks())}.")
    return Profile(stack)
