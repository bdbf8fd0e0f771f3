"""What is expected of an answer: named, typed outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class AnsweredBy:
    """A Pod of the workload answered, in this container, and says so under the request's nonce."""

    lab: str
    workload: str
    container: str

    def __str__(self) -> str:
        return f"answered by {self.workload}/{self.container}"


@dataclass(frozen=True)
class SeesSource:
    """The server saw the client's own IP and port (``own``), or a loopback address."""

    address: Literal["own", "loopback"]

    def __str__(self) -> str:
        return "the server sees " + ("the client's own IP and port" if self.address == "own" else "127.0.0.1")


@dataclass(frozen=True)
class UpstreamSees:
    """The application behind the reverse proxy saw a loopback address as its peer."""

    def __str__(self) -> str:
        return "the application behind the proxy sees 127.0.0.1"


@dataclass(frozen=True)
class NoAnswer:
    """No connection came about: refused, timed out or no route. Never a matter of an answer's content."""

    def __str__(self) -> str:
        return "no connection"


@dataclass(frozen=True)
class Refused:
    """The connection was refused (RST): curl's exit 7 with ECONNREFUSED."""

    def __str__(self) -> str:
        return "refused"


@dataclass(frozen=True)
class NameUnknown:
    """The name does not resolve: curl's exit 6."""

    def __str__(self) -> str:
        return "name unknown"


@dataclass(frozen=True)
class Status:
    """This HTTP status; ``backend`` False: and no workload of ours answered."""

    code: int
    backend: bool

    def __str__(self) -> str:
        return f"status {self.code}" + ("" if self.backend else " from no backend")


@dataclass(frozen=True)
class Connects:
    """A TCP connection came about, whatever was said on it: the positive control of a refusal."""

    def __str__(self) -> str:
        return "a connection"


@dataclass(frozen=True)
class Balanced:
    """Every ready Pod of the workload gets an equal share (chi-squared test, false-alarm rate)."""

    lab: str
    workload: str
    false_alarm: float = 0.001

    def __str__(self) -> str:
        return f"equal shares for each Pod (false alarms: {self.false_alarm:g})"


@dataclass(frozen=True)
class Translated:
    """Netfilter translated clusterIP to a Pod's IP (conntrack), and no process listens on the clusterIP."""

    def __str__(self) -> str:
        return "the kernel translated the clusterIP to the Pod that answered, and nothing listens on it"


@dataclass(frozen=True)
class NotTranslated:
    """Conntrack's reply tuple is the mirror image of the original one: no NAT."""

    def __str__(self) -> str:
        return "no NAT"


@dataclass(frozen=True)
class ResolvesTo:
    """The lookup gave exactly the clusterIP, or exactly the Pods' IPs."""

    what: Literal["clusterIP", "Pod IPs"]

    def __str__(self) -> str:
        return f"exactly the {self.what}"


@dataclass(frozen=True)
class PortTaken:
    """The second listener is refused (EADDRINUSE) and the control port can be had."""

    def __str__(self) -> str:
        return "refused, the port is taken"


@dataclass(frozen=True)
class SameNamespace:
    """One inode, the same interfaces and addresses, and the Pod's IP as the API states it."""

    def __str__(self) -> str:
        return "one namespace, with the Pod's IP"


@dataclass(frozen=True)
class SameAddress:
    """The clusterIP is the one of before, and the new Pod answers on it."""

    def __str__(self) -> str:
        return "the same clusterIP, and the new Pod answers on it"


@dataclass(frozen=True)
class Advertised:
    """The IP asked is the one that the stack exports as ``frontendIp``."""

    def __str__(self) -> str:
        return "at the IP exported as frontendIp"


Expectation = (
    AnsweredBy
    | SeesSource
    | UpstreamSees
    | NoAnswer
    | Refused
    | NameUnknown
    | Status
    | Connects
    | Balanced
    | Translated
    | NotTranslated
    | ResolvesTo
    | PortTaken
    | SameNamespace
    | SameAddress
    | Advertised
)
