"""The life of a stack on kind: brought up from whatever is there, torn down, and certified to be gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from scripts.build.clitools import cli_tools, link_tools
from scripts.build.engine import ensure_engine, refusal
from scripts.build.enginefacts import check_engine, engine_facts
from scripts.build.engineplace import check_place
from scripts.build.policyengine import engine_node_image
from scripts.build.registries import Registries
from scripts.build.workloads import build_all
from scripts.clusters.kind import balancer, hostfence, mend, networks, nodes, world
from scripts.clusters.kind.hostlook import check_host
from scripts.clusters.kind.supply import summary, supplies
from scripts.errors import PodpathError
from scripts.evidence.world import OutsideWorld
from scripts.progress import say, step
from scripts.stack import deploy
from scripts.stack.profile import Profile
from scripts.stack.state import state_file
from scripts.transport.docker import docker

MAKES = "container, network, process, rule or stack"


def question(profile: Profile) -> str:
    """Nothing is asked: the cluster is our own."""
    return ""


def bring_up(
    profile: Profile,
    labs: Sequence[str],
    restore: Callable[[], None] = lambda: None,
    suspect: bool = False,
    build: bool = False,
) -> bool:
    """The engine, the tools, the cluster with its surroundings, and the labs; whether anything changed.

    See ``Provider.bring_up``.
    """
    ensure_engine()
    check_engine()
    registries = Registries(off=build)
    images = _tools_and_images(profile, registries)
    (profile.folder / "images.json").write_text(json.dumps(images, indent=1))
    workers = max(1, len(profile.config.get("nodes", ())) - 1)
    terms = {"given": False, "alone": workers < 2, "dual": profile.dual, "workers": workers}
    (profile.folder / "terms.json").write_text(json.dumps(terms))
    registry = balancer.envoy_image(profile, images["base"], registries)

    def image() -> str:
        networks.refuse_foreign_networks(profile)
        check_host(profile, images["node-agent"])
        return engine_node_image(profile.policy_engine, images, registries)

    def balance(fresh: bool) -> bool:
        """It also brings the Gateway API, without which no Gateway can be made."""
        return balancer.ensure_balancer(profile, registry, images["base"], fresh)

    mended = mend.wake(profile)
    new = nodes.ensure_cluster(profile, images, image, lambda: balance(fresh=True))
    if new:
        deploy.fresh_stack(profile)
        balance(False)
    else:
        mended = mend.mend(profile, balance) or mended
        restore()
    with ThreadPoolExecutor(2) as pool:
        dns = pool.submit(nodes.wait_for_dns, profile)
        outside = pool.submit(world.ensure_outside, profile, images, nodes.nodes_of(profile.cluster))
        with step("pulumi up"):
            done = deploy.deploy(profile, labs, compare=not new and (mended or suspect))
        for future in (dns, outside):
            future.result()
    say(f"  {done}")
    return new or mended or not deploy.unchanged(done)


def tear_down(
    profile: Profile, restore: Callable[[], None] = lambda: None, at_once: bool = False
) -> list[str]:
    """Takes away all that podpath made for a stack, and names it; see ``Provider.tear_down``."""
    removed: list[str] = []
    check_place()
    if refusal() is not None:
        if at_once:  # without an engine nothing of it runs
            return removed
        raise PodpathError(
            "no Docker Engine answers, so the stack is not running: scripts/up starts it again."
        )
    if strange := engine_facts().strangeness():  # it has nothing of the stack, and certifies nothing
        raise PodpathError(strange)
    restore()
    standing = nodes.nodes_of(profile.cluster)
    if standing:
        nodes.refuse_strangers(profile, standing)
    if standing or state_file(profile).exists():
        link_tools(cli_tools().values())  # a checkout that never ran scripts/up has none
    with ThreadPoolExecutor(1) as pool:
        beyond = pool.submit(world.remove_outside, profile)
        if state_file(profile).exists():
            removed.append(_end_stack(profile, {} if at_once else standing))
        with step("end the load balancer"):
            removed += balancer.stop_balancer(profile)
        removed += [f"outside {name}" for name in beyond.result()]
    if standing:
        with step(f"delete cluster {profile.cluster}"):
            nodes.delete(profile)
        removed.append(f"cluster {profile.cluster} ({len(standing)} nodes)")
    removed += hostfence.open_host(profile)
    removed += networks.remove_network(profile, profile.network)
    profile.forget()
    return removed


def outside_of(profile: Profile) -> OutsideWorld | None:
    """The outside world that `scripts/up` made, which is reached through the engine; None without one.

    Raises PodpathError where the engine that the client would ask cannot be the one that runs it.
    """
    made = world.outside_of(profile)
    if made:
        check_place()
    return made


def leftovers(profile: Profile) -> list[str]:
    """What of a stack is still there, in words; an empty list is the certificate."""
    labels = (nodes.LABEL, balancer.LABEL, networks.LABEL)
    left = [
        f"container {name}"
        for label in labels
        for name in docker(
            "ps", "--all", "--filter", f"label={label}={profile.cluster}", "--format", "{{.Names}}"
        ).split()
    ]
    left += [f"network {name}" for name in networks.networks_left(profile)]
    if fence := hostfence.fence_left(profile):
        left.append(f"fence on the host: {fence}")
    checks: dict[str, Callable[[], object]] = {
        "Pulumi stack": lambda: state_file(profile).exists(),
        "kubeconfig": profile.kubeconfig.exists,
    }
    return left + [what for what, is_left in checks.items() if is_left()]


def _tools_and_images(profile: Profile, registries: Registries) -> dict[str, str]:
    """Gets the command line tools and the workloads' images side by side; what is cached costs nothing."""
    if told := summary(supplies(profile, registries)):
        say(told)
    with ThreadPoolExecutor(1) as pool:
        images = pool.submit(build_all, registries, profile.registry)
        link_tools(cli_tools(registries).values())
        return images.result()


def _end_stack(profile: Profile, standing: Mapping[str, str]) -> str:
    """Destroys the labs where the cluster answers; else drops the stack, its objects are gone."""
    if standing and nodes.is_whole(profile, standing):
        try:
            with step("pulumi destroy"):
                return f"labs: {deploy.destroy(profile)}"
        except PodpathError as error:
            say(f"  {error} The cluster goes, and the labs with it.")
    deploy.fresh_stack(profile)
    return "the stack's state"
