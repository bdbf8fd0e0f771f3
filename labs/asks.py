"""What a probe asks: a request, or a look at what a Peer is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labs.peers import Container, Destination, Source


@dataclass(frozen=True)
class Get:
    """An HTTP GET to ``to``; ``times`` fresh connections, one answer each."""

    to: Destination
    path: str = "/"
    scheme: Literal["http", "https"] = "http"
    times: int = 1

    def __str__(self) -> str:
        often = "" if self.times == 1 else f" {self.times} times"
        return f"{self.to} for {self.path}{often}"


@dataclass(frozen=True)
class Resolve:
    """A DNS lookup of a Service's full name, or of each Pod name behind a headless Service."""

    lab: str
    service: str
    pods: bool = False

    def __str__(self) -> str:
        whose = "each Pod name behind " if self.pods else ""
        return f"the DNS for the addresses of {whose}{self.service}"


@dataclass(frozen=True)
class Bind:
    """An attempt to listen on ``port``, and on the free port ``control`` to show that it can work."""

    port: int
    control: int

    def __str__(self) -> str:
        return f"to listen on {self.port} (and on {self.control} as control)"


@dataclass(frozen=True)
class Namespaces:
    """The network namespaces (inode, interfaces, addresses) of the source and of ``others``.

    ``stranger`` is a container of another Pod: its namespace must differ, or the look saw nothing.
    """

    others: tuple[Container, ...]
    stranger: Source

    def __str__(self) -> str:
        return f"for the network namespaces of itself, {', '.join(map(str, self.others))} and a stranger"


@dataclass(frozen=True)
class Replace:
    """Deletes one Pod of a workload and asks its Service again once another has taken its place."""

    lab: str
    workload: str
    service: str
    port: int

    def __str__(self) -> str:
        return f"Service {self.service} again after one Pod of {self.workload} was replaced"


Ask = Get | Resolve | Bind | Namespaces | Replace
