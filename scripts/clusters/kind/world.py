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

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from scripts.build.contenthash import text_hash
from scripts.clusters.kind.hostfence import ROLE
from scripts.clusters.kind.hostlook import check_range, look
from scripts.clusters.kind.networks import LABEL, ensure_network, network_of, remove_network
from scripts.errors import PodpathError
from scripts.evidence.world import OutsideWorld
from scripts.stack.profile import Profile
from scripts.transport.docker import docker
from scripts.transport.process import CommandFailed

SPEC = "podpath.outside"
REJECT = "REJECT --reject-with icmp-admin-prohibited"


def ensure_outside(profile: Profile, images: dict[str, str], nodes: dict[str, str]) -> OutsideWorld:
    """Sees to the outside world of a cluster with these ``nodes`` (name → "<start time> <address>").

    Raises PodpathError when the stack's outside range is in use on the engine's host.
    """
    made_of = (Path(__file__).read_text(), profile.outside_range, images["node-agent"], images["nginx"])
    spec = text_hash(*made_of, *map(str, nodes.items()))
    standing = _standing(profile, spec)
    return standing or _make(profile, images, {name: told.split()[-1] for name, told in nodes.items()}, spec)


def outside_of(profile: Profile) -> OutsideWorld | None:
    """The outside world that `scripts/up` made; None where the stack has none.

    Raises PodpathError where its record is damaged.
    """
    try:
        told = json.loads(_record(profile).read_text())
        return OutsideWorld(**{**told, "bridges": tuple(told["bridges"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        again = f"run scripts/up {profile.stack}, which makes the world outside anew"
        raise PodpathError(f"{_record(profile)} is damaged: {again}.") from None


def remove_outside(profile: Profile) -> list[str]:
    """Removes the containers and the network outside; names what was removed."""
    filters = [f"label={LABEL}={profile.cluster}", f"label={ROLE}=outside"]
    found = docker(
        "ps", "--all", *(w for one in filters for w in ("--filter", one)), "--format", "{{.Names}}"
    )
    removed = sorted(found.split())
    if removed:
        docker("rm", "--force", "--volumes", *removed)
    removed += remove_network(profile, profile.outside_network)
    _record(profile).unlink(missing_ok=True)
    return removed


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
    with suppress(PodpathError):
        return outside_of(profile) if told == [f"true {spec}"] * len(names) else None
    return None


def _make(profile: Profile, images: dict[str, str], nodes: dict[str, str], spec: str) -> OutsideWorld:
    agent, marks = images["node-agent"], {LABEL: profile.cluster, ROLE: "outside", SPEC: spec}
    labels = [word for key, value in marks.items() for word in ("--label", f"{key}={value}")]
    check_range(profile, look(agent))
    remove_outside(profile)
    # Not --internal: Docker's rules for that also drop what the gateway carries between the two networks.
    apart = ["--opt", "com.docker.network.bridge.enable_ip_masquerade=false"]
    beyond = [*apart, "--subnet", profile.outside_range]
    ensure_network(profile, profile.outside_network, profile.outside_bridge, *beyond)

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
        inner = network_of(profile.network)
        rules = gateway_rules(inner.ipv4 if inner else "", profile.outside_range, nodes.values())
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
        profile.host,
        profile.fence_table,
        (profile.bridge, profile.outside_bridge),
    )
    for node in nodes:
        docker("exec", node, "ip", "route", "replace", profile.outside_range, "via", world.gateway_ip)
    default = ["ip", "route", "replace", "default", "via", world.gateway_outside_ip]
    beside = ["--network", f"container:{profile.outside}", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN"]
    docker("run", "--rm", *beside, "--user", "0", agent, *default)
    _record(profile).write_text(json.dumps(asdict(world)))
    return world


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
