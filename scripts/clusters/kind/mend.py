"""Mends what stands and is broken, for `scripts/up`: paused containers, rules that something
flushed on a node, load balancers without a container, objects that went away behind Pulumi's back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from scripts.clusters.base import api_of
from scripts.clusters.kind import balancer, noderules, nodes
from scripts.clusters.kind.networks import LABEL as CLUSTER
from scripts.errors import PodpathError
from scripts.evidence.snapshot import Snapshot, snapshot_of
from scripts.paths import ROOT
from scripts.progress import say, step
from scripts.stack import drift
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import Profile
from scripts.stack.state import Recorded
from scripts.transport.docker import docker
from scripts.transport.rest import Rest
from scripts.waiting import TIMEOUTS, Late, eventually

ENTRANCES = (
    "/api/v1/services",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/gateway.networking.k8s.io/v1/gateways",
)


def wake(profile: Profile) -> bool:
    """Lets the stack's containers go on that somebody paused; whether there were any.

    Returns once the API server answers again and has every node as ready, or after a while.
    """
    paused = _paused(profile)
    if not paused:
        return False
    with step(f"let {', '.join(paused)} go on, which somebody paused"):
        docker("unpause", *paused)
        try:
            eventually(lambda: _all_ready(profile), TIMEOUTS.ready, "every node to be ready again", every=0.5)
        except Late as late:
            say(f"  {late}")
    return True


def mend(profile: Profile, balance: Callable[[bool], bool]) -> bool:
    """Mends what is broken of a standing cluster, and says so; whether there was anything.

    ``balance`` sees to the load balancer, a fresh one where it is told so, and says whether it started one.
    """
    api = api_of(profile)
    with ThreadPoolExecutor(3) as pool:
        rules = pool.submit(noderules.mend_rules, profile, [*nodes.nodes_of(profile.cluster)], api)
        looked = pool.submit(_look, profile, api)
        addresses = pool.submit(_balancers, profile)
        started = balance(False)
        mended = rules.result() or started
        (lost, owners), running = looked.result(), addresses.result()
    if not started and (unserved := without_container(owners, running)):
        say(f"  no container has the address of {_several(unserved)}")
        with step("start the load balancer afresh"):
            balance(True)
        started = mended = True
    if started:
        _await_balancers(profile, api)
    if lost:
        again = "it" if len(lost) == 1 else "them"
        say(f"  missing from the cluster: {_several(map(str, lost))}; pulumi creates {again} again")
        drift.clear(lost, api)
    return mended or bool(lost)


def advertised(seen: Snapshot) -> dict[str, str]:
    """Who advertises which address outside the cluster: address → its owner in words."""
    return {
        ip: f"{kind} {name} ({ip}, namespace {namespace})"
        for ip, (kind, (namespace, name)) in seen.entrances.items()
    }


def without_container(owners: Mapping[str, str], addresses: Iterable[str]) -> list[str]:
    """The owners whose address no container has."""
    there = {*addresses}
    return [owner for ip, owner in owners.items() if ip not in there]


def _look(profile: Profile, api: Rest) -> tuple[list[Recorded], dict[str, str]]:
    """What is lost, and who advertises what; over one connection, which is quicker than one for each list."""
    return drift.lost(profile, api), advertised(_entrances(api))


def _entrances(api: Rest) -> Snapshot:
    services, ingresses, gateways = map(api.items, ENTRANCES)
    return snapshot_of((), (), services, (), ingresses, gateways)


def _balancers(profile: Profile) -> list[str]:
    """The addresses of the load balancers' running containers."""
    ours = ["--filter", f"label={balancer.LABEL}={profile.cluster}", "--filter", "status=running"]
    running = docker("ps", "--quiet", *ours).split()
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    return docker("inspect", "--format", form, *running, check=False).split() if running else []


def _await_balancers(profile: Profile, api: Rest) -> None:
    """Returns once each address that is advertised belongs to a container, or after a while."""

    def served() -> bool:
        return not without_container(advertised(_entrances(api)), _balancers(profile))

    try:
        with step("wait for the load balancers' addresses"):
            eventually(served, TIMEOUTS.balancer, "a container for each address that is advertised")
    except Late as late:
        say(f"  {late}")


def _paused(profile: Profile) -> list[str]:
    """The stack's containers that are paused, if this checkout made its cluster."""
    labels = "|".join(f'{{{{.Label "{label}"}}}}' for label in (nodes.LABEL, balancer.LABEL, CLUSTER))
    told = docker("ps", "--all", "--filter", "status=paused", "--format", f"{{{{.Names}}}}|{labels}")
    found = {name: clusters for name, *clusters in (line.split("|") for line in told.splitlines())}
    names = sorted(name for name, clusters in found.items() if profile.cluster in clusters)
    marker = nodes.marker_of(nodes.nodes_of(profile.cluster)) if names else None
    return names if marker is not None and marker.owner == str(ROOT) else []


def _all_ready(profile: Profile) -> bool:
    form = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    try:
        told = kubectl(profile, "get", "nodes", "--output", form, check=False).split()
    except PodpathError:
        return False
    return len(told) == len(profile.config["nodes"]) and {*told} == {"True"}


def _several(names: Iterable[str], most: int = 3) -> str:
    """The first few of many names."""
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")
