"""The world outside the cluster: a gateway, a server on each side of it, and a client beyond it.

```
 nodes ── kind's network ──┬── near (server)
                           └── gateway ── outside network ── outside (server and client)
```

All of it is containers on Docker networks of our own, so it works wherever Docker does. The nodes route
the outside range to the gateway, which translates a node's address into its own outside one: the second
of the article's two NATs. The other way round, what comes from outside reaches nodes under its own
address; only for balancers, which know no way back, the gateway puts its own. The gateway forwards between
its two networks only, and the host's part of the fence closes both: nothing of it leaves the machine.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.cluster import fence
from scripts.cluster.contenthash import text_hash
from scripts.cluster.docker import docker, network_of
from scripts.cluster.profile import Profile
from scripts.errors import PodpathError
from scripts.process import CommandFailed

LABEL = "podpath.cluster"
SPEC = "podpath.outside"
REJECT = "REJECT --reject-with icmp-admin-prohibited"


@dataclass(frozen=True)
class OutsideWorld:
    """Names (of containers) and addresses outside the cluster; ``gateway_ip`` faces the nodes."""

    outside: str
    outside_ip: str
    near: str
    near_ip: str
    gateway: str
    gateway_ip: str
    gateway_outside_ip: str


def ensure_outside(profile: Profile, images: dict[str, str], nodes: dict[str, str]) -> OutsideWorld:
    """Sees to the outside world of a cluster with these ``nodes`` (name → "<start time> <address>").

    Raises PodpathError when the stack's outside range is in use on the engine's host.
    """
    made_of = (Path(__file__).read_text(), profile.outside_range, images["node-agent"], images["nginx"])
    spec = text_hash(*made_of, *map(str, nodes.items()))
    standing = _standing(profile, spec)
    return standing or _make(profile, images, {name: told.split()[-1] for name, told in nodes.items()}, spec)


def outside_of(profile: Profile) -> OutsideWorld | None:
    """The outside world that `scripts/up` made; None where the stack has none."""
    try:
        return OutsideWorld(**json.loads(_record(profile).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def remove_outside(profile: Profile) -> list[str]:
    """Removes the containers and the network outside; names what was removed."""
    names = docker("ps", "--all", "--filter", f"label={LABEL}={profile.cluster}", "--format", "{{.Names}}")
    removed = sorted(names.split())
    if removed:
        docker("rm", "--force", "--volumes", *removed)
    if network_of(profile.outside_network):
        docker("network", "rm", profile.outside_network)
        removed.append(f"network {profile.outside_network}")
    _record(profile).unlink(missing_ok=True)
    return removed


def overlapping(wanted: str, routes: str, addresses: str, resolvers: str, own: str = "") -> str:
    """What on a host overlaps the range ``wanted``, in words, or an empty text.

    ``routes`` and ``addresses`` are the JSON of ``ip -j -4 route`` and ``ip -j -4 addr``, ``resolvers``
    the text of resolv.conf(5). Default routes overlap nothing, and what is on the interface ``own`` is ours.
    """
    network = ipaddress.ip_network(wanted)
    found = [
        (f"the route to {route['dst']} by {route.get('dev', '?')}", route["dst"])
        for route in json.loads(routes)
        if route["dst"] != "default" and route.get("dev") != own
    ]
    found += [
        (f"the address {address['local']} of {link['ifname']}", address["local"])
        for link in json.loads(addresses)
        if link["ifname"] != own
        for address in link.get("addr_info", [])
    ]
    found += [
        (f"the resolver {line.split()[1]}", line.split()[1])
        for line in resolvers.splitlines()
        if line.startswith("nameserver ") and ":" not in line
    ]
    return next((what for what, where in found if ipaddress.ip_network(where).overlaps(network)), "")


def gateway_rules(inner: str, outer: str, nodes: Iterable[str]) -> str:
    """The gateway's rules in the format of iptables-restore(8): ``inner`` and ``outer`` are its networks."""
    return "\n".join(
        [
            "*nat",
            f"-A POSTROUTING -s {inner} -d {outer} -j MASQUERADE",
            *(f"-A POSTROUTING -s {outer} -d {node} -j RETURN" for node in nodes),
            f"-A POSTROUTING -s {outer} -d {inner} -j MASQUERADE",
            "COMMIT",
            "*filter",
            ":FORWARD DROP [0:0]",
            f"-A FORWARD -s {inner} -d {outer} -j ACCEPT",
            f"-A FORWARD -s {outer} -d {inner} -j ACCEPT",
            f"-A FORWARD -j {REJECT}",
            "COMMIT",
            "",
        ]
    )


def _standing(profile: Profile, spec: str) -> OutsideWorld | None:
    """The outside world when it runs just as ``spec`` says."""
    names = [profile.outside, profile.near, profile.gateway]
    form = f'{{{{.State.Running}}}} {{{{index .Config.Labels "{SPEC}"}}}}'
    told = docker("inspect", "--format", form, *names, check=False).splitlines()
    return outside_of(profile) if told == [f"true {spec}"] * len(names) else None


def _make(profile: Profile, images: dict[str, str], nodes: dict[str, str], spec: str) -> OutsideWorld:
    agent, labels = (
        images["node-agent"],
        ["--label", f"{LABEL}={profile.cluster}", "--label", f"{SPEC}={spec}"],
    )
    check_range(profile, agent)
    remove_outside(profile)
    # Not --internal: Docker's rules for that also drop what the gateway carries between the two networks.
    network = [
        "--opt",
        f"com.docker.network.bridge.name={profile.outside_bridge}",
        "--opt",
        "com.docker.network.bridge.enable_ip_masquerade=false",
        "--subnet",
        profile.outside_range,
    ]
    docker("network", "create", *network, "--label", f"{LABEL}={profile.cluster}", profile.outside_network)
    fence.close_host(profile, profile.outside_network, agent)

    def server(name: str, host: str, where: str) -> None:
        rights = ["--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp"]
        placed = ["--name", name, "--hostname", host, "--network", where]
        docker("run", "--detach", *placed, *rights, *labels, images["nginx"])

    def gateway() -> None:
        rights = ["--cap-drop", "ALL", *(f"--cap-add={name}" for name in ("NET_ADMIN", "NET_RAW", "SETGID"))]
        rights += ["--sysctl", "net.ipv4.ip_forward=1", "--read-only", "--tmpfs", "/tmp", "--tmpfs", "/run"]
        placed = ["--name", profile.gateway, "--hostname", "gateway", "--network", profile.network]
        docker("run", "--detach", *placed, *rights, *labels, agent)
        docker("network", "connect", profile.outside_network, profile.gateway)
        inner = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", profile.network)
        rules = gateway_rules(inner, profile.outside_range, nodes.values())
        docker("exec", "--interactive", profile.gateway, "iptables-restore", "--wait", stdin=rules)

    with ThreadPoolExecutor(3) as pool:
        jobs = [
            pool.submit(server, profile.outside, "outside", profile.outside_network),
            pool.submit(server, profile.near, "near", profile.network),
            pool.submit(gateway),
        ]
        for job in jobs:
            job.result()
    world = OutsideWorld(
        profile.outside,
        _address(profile.outside, profile.outside_network),
        profile.near,
        _address(profile.near, profile.network),
        profile.gateway,
        _address(profile.gateway, profile.network),
        _address(profile.gateway, profile.outside_network),
    )
    for node in nodes:
        docker("exec", node, "ip", "route", "replace", profile.outside_range, "via", world.gateway_ip)
    default = ["ip", "route", "replace", "default", "via", world.gateway_outside_ip]
    beside = ["--network", f"container:{profile.outside}", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN"]
    docker("run", "--rm", *beside, "--user", "0", agent, *default)
    _record(profile).write_text(json.dumps(asdict(world)))
    return world


def check_range(profile: Profile, agent: str) -> None:
    """Raises PodpathError when the host has the stack's outside range in use already."""
    look = "ip -j -4 route; echo; ip -j -4 addr; echo; cat /etc/resolv.conf"
    told = docker("run", "--rm", "--network", "host", "--user", "0", agent, "sh", "-c", look)
    routes, addresses, resolvers = (*(line for line in told.splitlines() if line.startswith("[")), told)
    taken = overlapping(profile.outside_range, routes, addresses, resolvers, profile.outside_bridge)
    if taken:
        raise PodpathError(
            f"the outside range {profile.outside_range} overlaps {taken}: choose a free one as "
            f"`podpath:outsideRange` in stacks/Pulumi.{profile.stack}.yaml."
        )


def _address(container: str, network: str) -> str:
    try:
        return docker(
            "inspect",
            "--format",
            f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}',
            container,
        )
    except CommandFailed as failed:
        raise PodpathError(f"the container {container} is not on network {network}: {failed}") from failed


def _record(profile: Profile) -> Path:
    return profile.folder / "outside.json"
