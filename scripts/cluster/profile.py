"""A stack's cluster profile: what ``stacks/<stack>.yaml`` says, and where its state lies."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import UsageError
from scripts.paths import STACKS, STATE, private_folder

OUTSIDE_RANGE = "198.18.0.0/24"
"""Beyond the gateway unless the stack says otherwise: of RFC 2544's range, free on most machines."""


@dataclass(frozen=True)
class Profile:
    """One stack: its kind configuration (stacks/<stack>.yaml) and its folder .podpath/<stack>/."""

    stack: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """The kind configuration as written."""
        loaded: dict[str, Any] = yaml.safe_load((STACKS / f"{self.stack}.yaml").read_text())
        return loaded

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The stack's settings, under ``config`` in stacks/Pulumi.<stack>.yaml."""
        loaded = yaml.safe_load((STACKS / f"Pulumi.{self.stack}.yaml").read_text()) or {}
        return dict(loaded.get("config") or {})

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
        """The name of the container that plays the host outside the cluster, beyond the gateway."""
        return f"{self.cluster}-outside"

    @property
    def near(self) -> str:
        """The name of the container that plays a host on the nodes' own network."""
        return f"{self.cluster}-near"

    @property
    def gateway(self) -> str:
        """The name of the container that routes between the nodes' network and the outside one."""
        return f"{self.cluster}-gateway"

    @property
    def outside_network(self) -> str:
        """The Docker network beyond the gateway."""
        return f"{self.cluster}-outside"

    @property
    def outside_bridge(self) -> str:
        """The network interface of that network on the engine's host: a name of its own, for the fence."""
        return f"{self.cluster[:11]}-out"

    @property
    def outside_range(self) -> str:
        """The addresses beyond the gateway (CIDR), by the stack's setting ``podpath:outsideRange``.

        Raises UsageError when it is no IPv4 range with room for three hosts.
        """
        told = str(self.settings.get("podpath:outsideRange", OUTSIDE_RANGE))
        try:
            network = ipaddress.IPv4Network(told)
        except ValueError:
            network = None
        if network is None or network.prefixlen > 29:
            raise UsageError(
                f"podpath:outsideRange in stacks/Pulumi.{self.stack}.yaml is {told!r}: "
                f"write an IPv4 range of at least 8 addresses, such as {OUTSIDE_RANGE}."
            )
        return told

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
