"""A stack's cluster profile: what ``stacks/<stack>.yaml`` says, and where its state is kept."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import platform
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.errors import UsageError
from scripts.paths import ROOT, STACKS, STATE, private_folder
from scripts.stack.kindconfig import fault_of
from scripts.tiers import Tier

if TYPE_CHECKING:
    from scripts.stack.terms import Terms

KIND = "kind"
"""The way to get a cluster where a stack names none."""
PROVIDERS = [path.parent.name for path in sorted((ROOT / "scripts" / "clusters").glob("*/life.py"))]
"""The ways to get a cluster: the folders of scripts/clusters/ that a stack can name."""
OURS = "podpath:"
SETTINGS = tuple(
    f"{OURS}{name}"
    for name in ("context", "databasePassword", "outsideRange", "labs", "kubeconfig", "registry")
)
"""The settings of a stack that podpath knows."""
RECORDS = (
    *("kubeconfig", "cluster.json", "images.json", "terms.json", "run", "exports.json"),
    *("journal.jsonl", "faults.jsonl", "faults.log", "exercise.json"),
)
"""What a stack's folder keeps of a cluster."""
OWNER_LABEL = "podpath/owner"
OUTSIDE_RANGE = "198.18.0.0/24"
"""The range beyond the gateway by default: part of RFC 2544's, which is free on most machines."""


@dataclass(frozen=True)
class Profile:
    """One stack: what stacks/<stack>.yaml says of its cluster, and its folder .podpath/<stack>/."""

    stack: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """The file as written: a kind configuration, or the terms of a given cluster."""
        return _mapping(STACKS / f"{self.stack}.yaml")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The stack's settings, under ``config`` in stacks/Pulumi.<stack>.yaml."""
        file = STACKS / f"Pulumi.{self.stack}.yaml"
        settings = self._settings_file.get("config") or {}
        if not isinstance(settings, dict):
            raise UsageError(f"{_shown(file)} has {settings!r} under `config`: write settings there.")
        return settings

    @property
    def salt(self) -> str:
        """What Pulumi tells a passphrase by that was used for the stack's secrets; empty without any."""
        return str(self._settings_file.get("encryptionsalt", ""))

    @cached_property
    def _settings_file(self) -> dict[str, Any]:
        return _mapping(STACKS / f"Pulumi.{self.stack}.yaml", empty=True)

    @property
    def provider(self) -> str:
        """Which folder of scripts/clusters/ provides the cluster; raises UsageError for an unknown one."""
        named = str(self.config.get("provider", KIND))
        if named not in PROVIDERS:
            raise UsageError(
                f"provider in stacks/{self.stack}.yaml is {named!r}: write one of {', '.join(PROVIDERS)}."
            )
        return named

    @cached_property
    def terms(self) -> Terms | None:
        """On which terms the cluster was given; None for one that podpath makes. Raises UsageError."""
        if self.provider != "given":
            return None
        from scripts.stack.terms import read_terms  # pydantic takes long to import

        return read_terms(self.config, f"stacks/{self.stack}.yaml")

    @property
    def tier(self) -> Tier:
        """The highest tier of a check that may run there; everything on a cluster of our own."""
        return self.terms.may if self.terms else Tier.BREAK

    @property
    def domain(self) -> str:
        """The cluster's DNS domain."""
        return self.terms.clusterDomain if self.terms else "cluster.local"

    @property
    def owner(self) -> dict[str, str]:
        """The label by which a given cluster tells what this checkout made for this stack; none on our own.

        It is the same each time, so that what was made is found again when the stack's folder is lost.
        """
        if not self.terms:
            return {}
        told = "\n".join((platform.node(), str(ROOT), self.stack))
        user = re.sub(r"[^a-z0-9]", "", os.environ.get("USER", "").lower())[:20] or "podpath"
        return {OWNER_LABEL: f"{user}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"}

    @property
    def cluster(self) -> str:
        """The kind cluster's name; of a given cluster, whose name is not ours, the stack's."""
        return str(self.config.get("name", self.stack))

    @property
    def pod_ranges(self) -> dict[int, str]:
        """The ranges of all Pod IPs (CIDR) by family, 4 or 6."""
        return _by_family(self.config["networking"]["podSubnet"])

    @property
    def service_ranges(self) -> dict[int, str]:
        """The ranges of all clusterIPs (CIDR) by family, 4 or 6."""
        return _by_family(self.config["networking"]["serviceSubnet"])

    @property
    def policy_engine(self) -> str:
        """Who is to enforce NetworkPolicies on the nodes of a cluster of our own; empty for nobody."""
        return str(self.config.get("policyEngine", ""))

    @property
    def folder(self) -> Path:
        """The stack's state in the checkout."""
        return private_folder(STATE / self.stack)

    def forget(self) -> None:
        """Removes what the folder keeps of a cluster that is gone."""
        for name in RECORDS:
            (self.folder / name).unlink(missing_ok=True)

    @property
    def kubeconfig(self) -> Path:
        """The cluster's kubeconfig, mode 0600."""
        return self.folder / "kubeconfig"

    @property
    def network(self) -> str:
        """The Docker network of the cluster: its own, so that the fence closes nobody else's."""
        return self.cluster

    @property
    def dual(self) -> bool:
        """Whether what is probed has an IPv4 and an IPv6 address (dual-stack)."""
        of = self.terms.ipFamily if self.terms else self.config.get("networking", {}).get("ipFamily")
        return of == "dual"

    @property
    def network_range(self) -> str:
        """The IPv6 range of that network (CIDR), the cluster's own (RFC 4193); empty for IPv4 alone."""
        if not self.dual:
            return ""
        own = hashlib.sha256(self.cluster.encode()).hexdigest()
        return f"fd{own[:2]}:{own[2:6]}:{own[6:10]}::/64"

    @property
    def bridge(self) -> str:
        """The network interface of that network on the engine's host."""
        return f"{self._short}-net"

    @property
    def kind_env(self) -> dict[str, str]:
        """What kind and cloud-provider-kind need to know to use that network, by Docker and nothing else."""
        return {"KIND_EXPERIMENTAL_PROVIDER": "docker", "KIND_EXPERIMENTAL_DOCKER_NETWORK": self.network}

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
        """The network interface of that network on the engine's host."""
        return f"{self._short}-out"

    @property
    def balancer(self) -> str:
        """The name of the container that runs cloud-provider-kind, which makes the load balancers."""
        return f"{self.cluster}-balancer"

    @property
    def host(self) -> str:
        """The name of the container that is on the network of the engine's host."""
        return f"{self.cluster}-host"

    @property
    def fence_table(self) -> str:
        """The name of the stack's nftables table on the engine's host."""
        return f"podpath-fence-{self.cluster}"

    @property
    def _short(self) -> str:
        """At most 11 characters that stand for the cluster: an interface's name has 15 (IFNAMSIZ)."""
        name = self.cluster
        return name if len(name) <= 11 else f"{name[:6]}{hashlib.sha256(name.encode()).hexdigest()[:5]}"

    @property
    def outside_range(self) -> str:
        """The addresses beyond the gateway (CIDR), by the stack's setting ``podpath:outsideRange``.

        Raises UsageError unless it is an IPv4 range with room for three hosts.
        """
        written = str(self.settings.get("podpath:outsideRange", OUTSIDE_RANGE))
        try:
            network = ipaddress.IPv4Network(written)
        except ValueError:
            network = None
        if network is None or network.prefixlen > 29:
            raise UsageError(
                f"podpath:outsideRange in stacks/Pulumi.{self.stack}.yaml is {written!r}: "
                f"write an IPv4 range of at least 8 addresses, such as {OUTSIDE_RANGE}."
            )
        return written

    @property
    def registry(self) -> str:
        """The registry for our own images that the stack names, as images name it; empty for none.

        Raises UsageError where it is written in another way.
        """
        if self.terms:
            return self.terms.registry
        written = str(self.settings.get("podpath:registry", ""))
        if fault := registry_fault(written):
            raise UsageError(f"podpath:registry in stacks/Pulumi.{self.stack}.yaml is {written!r}: {fault}")
        return written

    @property
    def balancer_images(self) -> str:
        """The registry name under which cloud-provider-kind finds a locally built Envoy image."""
        return "podpath.local"


def registry_fault(written: str) -> str:
    """How a registry is to be written instead; empty for one that is written as images name it."""
    if "://" not in written and not written.endswith("/"):
        return ""
    return (
        "write it as images name it, such as registry.example/team/podpath, without https:// "
        "and without a slash at its end."
    )


def stacks() -> list[str]:
    """The names of all stacks, sorted."""
    return sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in STACKS.glob("Pulumi.*.yaml")
    )


def profile_of(stack: str) -> Profile:
    """The profile of a stack; raises UsageError for one that is not in ``stacks/``, or not as it must be."""
    if stack not in stacks():
        raise UsageError(f"there is no stack {stack!r}: choose one of {', '.join(stacks())}.")
    profile = Profile(stack)
    if profile.provider == KIND and (fault := fault_of(profile.config)):
        raise UsageError(f"in stacks/{stack}.yaml {fault}.")
    unknown = [key for key in map(str, profile.settings) if key.startswith(OURS) and key not in SETTINGS]
    if unknown:
        known = ", ".join(SETTINGS)
        raise UsageError(f"stacks/Pulumi.{stack}.yaml sets {unknown[0]!r}: podpath knows {known}.")
    return profile


def _mapping(file: Path, empty: bool = False) -> dict[str, Any]:
    """The mapping that a YAML file holds; raises UsageError, in one sentence, for anything else."""
    try:
        loaded = yaml.safe_load(file.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{_shown(file)} is missing: write it, or remove Pulumi.{file.name}.") from None
    except IsADirectoryError:
        raise UsageError(f"{_shown(file)} is a folder: a file belongs there.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}: {problem}" if mark else str(error).splitlines()[0]
        raise UsageError(f"{_shown(file)} is no YAML ({where}): mend it.") from None
    if loaded is None and empty:
        return {}
    if not isinstance(loaded, dict):
        what = "nothing" if loaded is None else f"a {type(loaded).__name__}"
        raise UsageError(f"{_shown(file)} holds {what} and no mapping: mend it, or `git checkout` it.")
    return loaded


def _shown(file: Path) -> str:
    return f"stacks/{file.name}"


def _by_family(written: str) -> dict[int, str]:
    """Ranges that commas separate, by the version of IP."""
    ranges = [one.strip() for one in str(written).split(",")]
    return {ipaddress.ip_network(one).version: one for one in ranges}
