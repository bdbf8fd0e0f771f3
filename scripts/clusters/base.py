"""What probes run against: a cluster's API, and a way to run programs at any place in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from scripts.evidence.snapshot import DOMAIN, Snapshot, snapshot_of
from scripts.evidence.view import View
from scripts.evidence.world import OutsideWorld
from scripts.stack.outputs import outputs_of
from scripts.stack.profile import Profile
from scripts.tiers import Tier
from scripts.transport.container import exec_in_container
from scripts.transport.executor import CompletedExec, Place
from scripts.transport.podexec import exec_in_pod
from scripts.transport.rest import Rest

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LISTS = (
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/services",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/gateway.networking.k8s.io/v1/gateways",
)


@dataclass(frozen=True)
class Cluster:
    """A stack's cluster. ``outputs`` are what its Pulumi stack exports about the labs.

    The rest are the terms on which it is probed: see ``View``.
    """

    stack: str
    api: Rest
    outputs: Mapping[str, Any]
    outside: OutsideWorld | None = None
    tier: Tier = Tier.BREAK
    blind: str = ""
    fenced: bool = True
    domain: str = DOMAIN

    def snapshot(self) -> Snapshot:
        """The API's view now; the lists are fetched at the same time. Raises PodpathError."""
        with ThreadPoolExecutor(len(LISTS)) as pool:
            return snapshot_of(*pool.map(self.api.items, LISTS), domain=self.domain)

    def look(self) -> View:
        """The cluster as it is now; raises PodpathError when its API server does not answer."""
        snapshot = self.snapshot()
        terms = (self.tier, self.blind, self.fenced, self.domain, clocks(snapshot))
        return View(snapshot, self.outputs, self.stack, self.outside, {}, *terms)

    @cached_property
    def execute(self) -> RealExecutor:
        """Runs programs at any place of the cluster."""
        return RealExecutor(self.api)


def clocks(snapshot: Snapshot, boot_id: Path = BOOT_ID) -> str:
    """Why this machine and the nodes have no clock in common, by the kernels that they run on; else empty."""
    own = {boot_id.read_text().strip()} if boot_id.exists() else set()
    if snapshot.boots <= own:
        return ""
    kernels = len(snapshot.boots | own)
    return f"this machine and the nodes go by the clocks of {kernels} kernels"


class RealExecutor:
    """Runs programs in Pods through the API server, and in containers outside the cluster through Docker."""

    def __init__(self, api: Rest) -> None:
        self._configuration = api.configuration

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        """Runs ``argv`` at ``place``; see ``Executor``."""
        if place.pod:
            return exec_in_pod(self._configuration, place, argv, stdin, timeout)
        return exec_in_container(place, argv, stdin, timeout)


class Provider(Protocol):
    """A way to get a cluster: the module ``life`` of a folder here that a stack's ``provider`` names.

    ``MAKES`` are the kinds of things that it makes, in words.
    """

    MAKES: str

    def question(self, profile: Profile) -> str:
        """What a person is asked before anything is made, or an empty text; raises PodpathError."""
        ...

    def bring_up(
        self,
        profile: Profile,
        labs: Sequence[str],
        restore: Callable[[], None] = ...,
        suspect: bool = ...,
        build: bool = ...,
    ) -> bool:
        """Brings up the cluster and the labs; returns whether anything changed. Raises PodpathError.

        ``restore`` is called before the labs are deployed to a cluster that was there already; ``suspect``:
        its objects may differ from what Pulumi believes, so they are compared. ``build``: nothing is pulled,
        and what is not there yet is built.
        """
        ...

    def tear_down(
        self, profile: Profile, restore: Callable[[], None] = ..., at_once: bool = ...
    ) -> list[str]:
        """Removes everything that podpath made for the stack, and names it. Raises PodpathError.

        ``restore`` is called before anything is removed from a cluster that is the stack's. ``at_once``: a
        cluster of our own goes with all that is in it, whatever state it is in.
        """
        ...

    def leftovers(self, profile: Profile) -> list[str]:
        """What is left of the stack, in words; an empty list is the certificate."""
        ...

    def outside_of(self, profile: Profile) -> OutsideWorld | None:
        """The world outside the cluster, if it has one."""
        ...


def provider_of(profile: Profile) -> Provider:
    """The module that provides the stack's cluster."""
    return cast(Provider, import_module(f"scripts.clusters.{profile.provider}.life"))


def cluster_of(profile: Profile) -> Cluster:
    """A stack's cluster; raises PodpathError when it has none or nothing is deployed there."""
    return probed(profile, outputs_of(profile))


def probed(profile: Profile, outputs: Mapping[str, Any]) -> Cluster:
    """A stack's cluster on the stack's terms, with these outputs; raises PodpathError when it has none."""
    terms = profile.terms
    return Cluster(
        profile.stack,
        api_of(profile),
        outputs,
        provider_of(profile).outside_of(profile),
        profile.tier,
        terms.blind if terms else "",
        terms is None,
        profile.domain,
    )


def api_of(profile: Profile) -> Rest:
    """The API server of a stack's cluster; raises PodpathError when the stack has none."""
    return Rest(profile.kubeconfig, profile.stack, given=profile.terms is not None)
