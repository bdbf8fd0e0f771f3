"""A run of a fault that is killed at one of its steps: ``python -m tests.cluster.dying POINT [alone]``.

The fault has an act of each kind. Each call of the API server, of an agent or of a container is two points,
just before it and just after it; at the given one the process kills itself by SIGKILL. ``alone``: without the
watchdog of `scripts/faults`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from scripts.cli._breaking import prover_of, watched
from scripts.fault._acts import make, patch, route, rule, switch
from scripts.fault._base import Act, Site
from scripts.stack.lock import lock
from scripts.stack.profile import profile_of
from scripts.suite.inject import Injector
from scripts.suite.repairs import Repairs
from scripts.transport.executor import CompletedExec, Executor, Place
from scripts.transport.rest import Rest

T = TypeVar("T")
NAME = "crash"


def acts(site: Site) -> list[Act]:
    """Two rules, a route, a switch, a changed object and a new one: none of them hurts anybody."""
    one, two = site.worker(1), site.worker(2)
    namespace = site.view.namespace("pitfalls")
    port = {"name": "spare", "port": 9, "protocol": "TCP"}
    return [
        rule(site, one, "FORWARD", "-d 192.0.2.1 -j DROP"),
        rule(site, two, "PREROUTING", "-d 192.0.2.1 -j DROP", "raw"),
        route(two, "blackhole", "192.0.2.0/25"),
        switch(site, one, "net.ipv4.conf.cbr0.send_redirects", "0"),
        patch(site, site.service("pitfalls", "lone"), {"spec": {"internalTrafficPolicy": "Cluster"}}),
        make(
            site,
            f"/api/v1/namespaces/{namespace}/services",
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "crash"}, "spec": {"ports": [port]}},
        ),
    ]


class Dying:
    """Counts calls and dies at one of them."""

    def __init__(self, point: int, api: Rest, execute: Executor) -> None:
        self._left, self._api, self._execute = point, api, execute

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._api.get(path, **query)

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        return self._between(lambda: self._api.patch(path, change))

    def post(self, path: str, made: Mapping[str, Any]) -> dict[str, Any]:
        return self._between(lambda: self._api.post(path, made))

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        return self._between(lambda: self._api.delete(path, **query))

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        def run() -> CompletedExec:
            return self._execute(place, argv, stdin, timeout)

        return run() if argv[-1].startswith("test -e") else self._between(run)

    def _between(self, call: Callable[[], T]) -> T:
        self._die()
        done = call()
        self._die()
        return done

    def _die(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: Sequence[str]) -> None:
    """Applies the fault, asks something, and undoes it, unless it dies before."""
    profile, alone = profile_of("kind"), "alone" in arguments
    with lock(profile.cluster, "scripts/probe"), nullcontext() if alone else watched(profile):
        prover = prover_of(profile)
        site = prover.site(NAME)
        damage = acts(site)
        dying = Dying(int(arguments[0]), prover.cluster.api, prover.cluster.execute)
        injector = Injector(dying, dying, Repairs(profile.folder / "faults.jsonl", dying))
        with injector.applied(NAME, damage):
            print("applied", flush=True)
            dying(site.view.agent(site.worker(1)), ["true"])
            if "wait" in arguments:
                sys.stdin.read()
    print("undone", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
