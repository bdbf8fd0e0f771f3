"""A cluster to probe: its API and a way to run programs at any place of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from scripts.cluster.outside import outside_of
from scripts.cluster.profile import Profile
from scripts.probing.executor import CompletedExec, Place
from scripts.probing.exports import exports_of
from scripts.probing.kube import Kube
from scripts.probing.outside import exec_outside
from scripts.probing.podexec import exec_in_pod
from scripts.probing.view import View


class Api(Protocol):
    """What scenarios need of the API server."""

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET as JSON."""
        ...

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """DELETE as JSON."""
        ...

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """PATCH by a JSON merge patch."""
        ...


class RealExecutor:
    """Runs programs in Pods through the API server, and at the outside host through Docker."""

    def __init__(self, kube: Kube) -> None:
        self._configuration = kube.configuration

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        """Runs ``argv`` at ``place``; see ``Executor``."""
        if place.pod:
            return exec_in_pod(self._configuration, place, argv, stdin, timeout)
        return exec_outside(place, argv, stdin, timeout)


def view_of(profile: Profile) -> tuple[View, Kube]:
    """A stack's cluster as it is now; raises PodpathError when none answers or nothing is deployed."""
    kube = Kube(profile.kubeconfig, profile.stack)
    exports = exports_of(profile)
    return View(kube.snapshot(), exports, profile.stack, outside_of(profile)), kube
