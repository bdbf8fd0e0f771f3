"""`scripts/down`: tears a stack down, says what it removed, and certifies that nothing is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from scripts.cluster import balancer, cluster, deploy, fence, outside
from scripts.cluster.docker import docker, network_of
from scripts.cluster.engine import refusal
from scripts.cluster.profile import Profile, profile_of
from scripts.commands.shell import Stack, start
from scripts.errors import EXIT_ENVIRONMENT, EXIT_OK, PodpathError
from scripts.progress import say, step


def down(stack: Stack = "kind") -> int:
    """Destroys the labs, ends the load balancer, deletes the cluster, and certifies that nothing is left."""
    profile = profile_of(stack)
    begun = time.monotonic()
    with cluster.lock(profile.cluster):
        if refusal() is not None:
            raise PodpathError(
                "no Docker Engine answers, so nothing of the stack runs: scripts/up starts it again."
            )
        removed = _tear_down(profile)
        left = leftovers(profile)
    for item in removed or ["nothing was there to remove"]:
        print(f"removed  {item}" if removed else item)
    for item in left:
        print(f"LEFT     {item}")
    if not left:
        took = time.monotonic() - begun
        print(
            f"Certified: no container, network, process, rule or stack of {stack!r} is left ({took:.1f} s)."
        )
    print(f"Next: scripts/up {stack}")
    return EXIT_ENVIRONMENT if left else EXIT_OK


def _tear_down(profile: Profile) -> list[str]:
    removed: list[str] = []
    nodes = cluster.nodes_of(profile.cluster)
    if nodes:
        cluster.refuse_strangers(profile, nodes)
    with ThreadPoolExecutor(1) as pool:
        beyond = pool.submit(outside.remove_outside, profile)
        if deploy.state_file(profile).exists():
            removed.append(_end_stack(profile, nodes))
        with step("end the load balancer"):
            removed += balancer.stop_balancer(profile)
        removed += [f"outside {name}" for name in beyond.result()]
    if nodes:
        with step(f"delete cluster {profile.cluster}"):
            cluster.delete(profile)
        removed.append(f"cluster {profile.cluster} ({len(nodes)} nodes)")
    fence.open_host(profile)
    removed += fence.remove_network(profile)
    for name in ("kubeconfig", "cluster.json", "images.json", "exports.json"):
        (profile.folder / name).unlink(missing_ok=True)
    return removed


def _end_stack(profile: Profile, nodes: dict[str, str]) -> str:
    """Destroys the labs where the cluster answers; else drops the stack, its objects are gone."""
    if nodes and cluster.is_whole(profile, nodes):
        try:
            with step("pulumi destroy"):
                return f"labs: {deploy.destroy(profile)}"
        except PodpathError as error:
            say(f"  {error} The cluster goes, and the labs with it.")
    deploy.fresh_stack(profile)
    return "the stack's state"


def leftovers(profile: Profile) -> list[str]:
    """What of a stack is still there, in words; an empty list is the certificate."""
    labels = (
        f"{cluster.LABEL}={profile.cluster}",
        f"{balancer.LABEL}={profile.cluster}",
        f"{outside.LABEL}={profile.cluster}",
    )
    left = [
        f"container {name}"
        for label in labels
        for name in docker("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}").split()
    ]
    checks: dict[str, Callable[[], object]] = {
        "load balancer process": lambda: balancer.pid_of(profile),
        "rule of the fence on the host": lambda: fence.host_rules(profile),
        "Pulumi stack": lambda: deploy.state_file(profile).exists(),
        "kubeconfig": profile.kubeconfig.exists,
        f"network {profile.network}": lambda: network_of(profile.network),
        f"network {profile.outside_network}": lambda: network_of(profile.outside_network),
    }
    return left + [what for what, is_left in checks.items() if is_left()]


if __name__ == "__main__":
    start(down)
