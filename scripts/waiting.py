"""Waiting for a condition with a deadline: the only way anything here waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from scripts.errors import PodpathError

T = TypeVar("T")


@dataclass(frozen=True)
class Timeouts:
    """Every deadline of the product, in seconds."""

    engine: float = 60
    """dockerd answers after its start."""
    node: float = 300
    """``kind create cluster --wait``-like steps: a cluster's nodes are Ready."""
    dns: float = 120
    """CoreDNS is available."""
    balancer: float = 60
    """cloud-provider-kind has found the cluster."""
    deploy: float = 300
    """``pulumi up`` of the labs."""
    ready: float = 60
    """The labs are at rest: Pods ready, rules that follow the endpoints, entrances that answer."""
    connect: float = 2
    """A probe's TCP connection, before it counts as timed out."""
    request: float = 10
    """A probe's whole request."""
    exec: float = 60
    """One exec in a Pod, however many probes it carries."""
    follow: float = 30
    """The cluster follows a change: endpoints, rules on every node, a proxy's routes."""
    replace: float = 60
    """Another Pod has taken a deleted one's place."""


TIMEOUTS = Timeouts()


class Late(PodpathError):
    """What was waited for did not come in time."""


def eventually(condition: Callable[[], T | None], deadline: float, what: str, every: float = 0.1) -> T:
    """The first truthy value of ``condition``, asked every ``every`` seconds for ``deadline`` seconds.

    Raises Late, naming ``what`` was waited for, when the deadline passes.
    """
    end = time.monotonic() + deadline
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Late(f"waited {deadline:.0f} s for {what} in vain.")
        pause.wait(every)
