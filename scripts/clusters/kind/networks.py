"""The Docker networks of a stack: made by podpath, whatever the engine's version, and known by their labels.

From Docker 28 on, the engine drops what reaches a container from another interface than its own network's
bridge. A frame on its way from the outside network to a node comes by the outside bridge, so both networks
ask for the gateway mode ``nat-unprotected``; what that mode opens, the fence on the engine's host closes.
https://docs.docker.com/engine/network/port-publishing/#gateway-modes
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass

from scripts.build.contenthash import text_hash
from scripts.build.enginefacts import engine_facts
from scripts.errors import PodpathError
from scripts.paths import ROOT
from scripts.stack.profile import Profile
from scripts.transport.docker import docker
from scripts.transport.process import CommandFailed

LABEL = "podpath.cluster"
OWNER = "podpath.owner"
SPEC = "podpath.spec"
OPTION = "com.docker.network.bridge"
MTU = "com.docker.network.driver.mtu"


@dataclass(frozen=True)
class Network:
    """A Docker network as ``docker network inspect`` tells it; ``ipv4`` is its IPv4 range (CIDR) or empty."""

    name: str
    labels: dict[str, str]
    options: dict[str, str]
    ipv4: str


def network_from(told: str) -> Network:
    """Reads the JSON object of one network; its ranges may stand in any order, IPv6 before IPv4."""
    network = json.loads(told)
    ranges = [one["Subnet"] for one in network["IPAM"]["Config"] or () if ":" not in one.get("Subnet", ":")]
    labels, options = network.get("Labels") or {}, network.get("Options") or {}
    return Network(network["Name"], labels, options, ranges[0] if ranges else "")


def network_of(name: str) -> Network | None:
    """The Docker network of this name; None when there is none."""
    id = docker("network", "ls", "--quiet", "--no-trunc", "--filter", f"name=^{name}$")
    return network_from(docker("network", "inspect", "--format", "{{json .}}", id.split()[0])) if id else None


def is_ours(profile: Profile, network: Network) -> bool:
    """Whether podpath made this network for the stack's cluster."""
    return network.labels.get(LABEL) == profile.cluster


def refuse_foreign_networks(profile: Profile) -> None:
    """Raises PodpathError when a network that somebody else made has the name of one of the stack's."""
    for name in (profile.network, profile.outside_network):
        network = network_of(name)
        if network and not is_ours(profile, network):
            raise PodpathError(
                f"a Docker network named {name} exists that podpath did not make: remove it "
                f"(docker network rm {name}) or change `name` in stacks/{profile.stack}.yaml."
            )


def ensure_network(profile: Profile, name: str, bridge: str, *more: str) -> Network:
    """Sees to a network of the stack with the host interface ``bridge``; ``more`` are arguments to create it.

    One of ours that was made otherwise is made anew. Raises PodpathError for one that somebody else made.
    """
    refuse_foreign_networks(profile)
    argv = [*_options(bridge), *more]
    spec = text_hash(*argv)
    network = network_of(name)
    if network and network.labels.get(SPEC) != spec:
        _empty(name)
        docker("network", "rm", name)
        network = None
    if network is None:
        labels = {LABEL: profile.cluster, OWNER: str(ROOT), SPEC: spec}
        marks = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
        docker("network", "create", *argv, *marks, name)
        network = network_of(name)
    if network is None or not network.ipv4:
        raise PodpathError(
            f"the Docker network {name} got no IPv4 range: remove it (docker network rm {name}) and look "
            "for `default-address-pools` and `default-network-opts` in Docker's daemon.json."
        )
    return network


def check_ranges(profile: Profile, network: Network) -> None:
    """Raises PodpathError where the range that Docker gave the nodes is also that of Pods or Services."""
    given = ipaddress.ip_network(network.ipv4)
    for name, ranges in (("podSubnet", profile.pod_ranges), ("serviceSubnet", profile.service_ranges)):
        for one in map(ipaddress.ip_network, ranges.values()):
            if one.overlaps(given):
                raise PodpathError(
                    f"Docker gave the network {network.name} the range {given}, which overlaps the {name} "
                    f"{one}: choose another `networking.{name}` in stacks/{profile.stack}.yaml, or other "
                    "`default-address-pools` in Docker's daemon.json."
                )


def remove_network(profile: Profile, name: str) -> list[str]:
    """Removes a network of the stack; names it. One that somebody else made is left as it is."""
    network = network_of(name)
    if network is None or not is_ours(profile, network):
        return []
    docker("network", "rm", name)
    return [f"network {name}"]


def networks_left(profile: Profile) -> list[str]:
    """The networks that podpath made for the stack and that are still there, by name."""
    listed = docker("network", "ls", "--filter", f"label={LABEL}={profile.cluster}", "--format", "{{.Name}}")
    return sorted(listed.split())


def check_traffic(profile: Profile, server: str) -> None:
    """Raises PodpathError unless a container on the stack's network reaches another one there.

    The host's firewall may drop what its bridges carry: a policy of its own with ``iptables: false`` in
    Docker's daemon.json, or a default-deny that came after Docker's rules. ``server`` is the nginx image.
    """
    quiet = ["--network", profile.network, "--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp"]
    marks = ["--label", f"{LABEL}={profile.cluster}"]
    listening = docker("run", "--detach", "--rm", *quiet, *marks, server)
    form = f'{{{{(index .NetworkSettings.Networks "{profile.network}").IPAddress}}}}'
    ask = ["--silent", "--output", "/dev/null", "--retry", "20", "--retry-connrefused", "--retry-delay", "0"]
    limits = ["--max-time", "3", "--noproxy", "*"]
    try:
        url = f"http://{docker('inspect', '--format', form, listening)}/whoami"
        docker("run", "--rm", *quiet, *marks, "--entrypoint", "curl", server, *ask, *limits, url)
    except CommandFailed as failed:
        raise PodpathError(
            "containers on one Docker network cannot reach each other here, for the host's firewall drops "
            "what its bridges carry: let Docker manage the rules (`iptables` in its daemon.json), or accept "
            "such packets, as `iptables -P FORWARD ACCEPT` does."
        ) from failed
    finally:
        docker("rm", "--force", "--volumes", listening, check=False)


def _empty(name: str) -> None:
    """Takes what still hangs on a network of ours off it, such as a load balancer of an earlier cluster."""
    form = "{{range $id, $one := .Containers}}{{$id}} {{end}}"
    for container in docker("network", "inspect", "--format", form, name).split():
        docker("network", "disconnect", "--force", name, container)


def _options(bridge: str) -> list[str]:
    options = {f"{OPTION}.name": bridge}
    if engine_facts().protects_containers:
        options |= {f"{OPTION}.gateway_mode_ipv{family}": "nat-unprotected" for family in (4, 6)}
    mtu = docker("network", "inspect", "--format", f'{{{{index .Options "{MTU}"}}}}', "bridge", check=False)
    if mtu.isdigit():  # what daemon.json gives to the default network only, as kind does
        options[MTU] = mtu
    return [word for key, value in options.items() for word in ("--opt", f"{key}={value}")]
