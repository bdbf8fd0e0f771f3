"""What a probe asks: a request, or a look at what a Peer is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labs.peers import Container, Destination, Service, Source


@dataclass(frozen=True)
class Get:
    """An HTTP GET to ``to``; ``traced``: its packets are captured at every interface they cross."""

    to: Destination
    path: str = "/"
    scheme: Literal["http", "https"] = "http"
    traced: bool = False

    def __str__(self) -> str:
        return f"{self.to} for {self.path}{' (traced)' if self.traced else ''}"


@dataclass(frozen=True)
class Sample:
    """GETs over fresh connections, a round after the other, until their shares are decided upon."""

    to: Service
    path: str = "/whoami"

    def __str__(self) -> str:
        return f"{self.to} for {self.path} until its shares are decided"


@dataclass(frozen=True)
class Chain:
    """One GET whose JSON tells, service by service, who answered whom and what the database stored."""

    to: Service
    path: str = "/orders"

    def __str__(self) -> str:
        return f"{self.to} for {self.path}, through every service behind it"


@dataclass(frozen=True)
class Plain:
    """A TCP connection that speaks no HTTP: it sends a line and reads what comes back."""

    to: Destination
    line: str = "HELLO podpath"

    def __str__(self) -> str:
        return f"{self.to} without HTTP ({self.line!r})"


@dataclass(frozen=True)
class Interface:
    """The Pod's own look at its interface eth0, beside its node's look at all of its interfaces."""

    def __str__(self) -> str:
        return "for its eth0 and the node's interfaces"


@dataclass(frozen=True)
class Table:
    """Every node's kube-proxy rules for a Service, beside the Service's EndpointSlices."""

    lab: str
    service: str

    def __str__(self) -> str:
        return f"every node for kube-proxy's table of {self.service}"


@dataclass(frozen=True)
class Variables:
    """The environment of each Pod of a workload, for the variables of a Service of its namespace."""

    lab: str
    workload: str
    service: str

    def __str__(self) -> str:
        return f"the Pods of {self.workload} for the variables of Service {self.service}"


@dataclass(frozen=True)
class ProxyMode:
    """Whether this kube-proxy accepts a mode; ``control`` is a mode that it must accept."""

    mode: str
    control: str = "iptables"

    def __str__(self) -> str:
        return f"whether it accepts the mode {self.mode}"


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


@dataclass(frozen=True)
class Relabel:
    """Gives a spare Pod the label that the Service selects, and takes it away again."""

    lab: str
    spare: str
    service: str
    port: int = 80

    def __str__(self) -> str:
        return f"Service {self.service} while Pod {self.spare} gets its label and loses it"


@dataclass(frozen=True)
class Converge:
    """The same, watched on every node: when each node's rules, and the answers, have followed."""

    lab: str
    spare: str
    service: str
    port: int = 80

    def __str__(self) -> str:
        return f"Service {self.service} and each node's rules while Pod {self.spare} joins and leaves"


@dataclass(frozen=True)
class Hang:
    """Lets a spare Pod join the Service and hang: it accepts connections and answers none.

    ``ready`` says whether the Pod has a readiness probe; then the Service is asked once that has failed.
    """

    lab: str
    spare: str
    service: str
    ready: bool
    port: int = 80
    times: int = 120

    def __str__(self) -> str:
        how = "its readiness probe took it out" if self.ready else "without a readiness probe"
        return f"Service {self.service} {self.times} times while Pod {self.spare} hangs, {how}"


@dataclass(frozen=True)
class Disconnect:
    """Takes every endpoint of the Service behind a URL away, asks the URL, and puts them back."""

    to: Destination
    lab: str
    service: str
    path: str = "/"

    def __str__(self) -> str:
        return f"{self.to} for {self.path} while Service {self.service} has no endpoints"


Ask = (
    Get
    | Sample
    | Chain
    | Plain
    | Resolve
    | Bind
    | Namespaces
    | Interface
    | Table
    | Variables
    | ProxyMode
    | Replace
    | Relabel
    | Converge
    | Hang
    | Disconnect
)
