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


SEEN = {
    "own": "the client's own IP and port",
    "loopback": "127.0.0.1",
    "node": "an address of a node",
    "gateway": "the gateway's outside address",
}


@dataclass(frozen=True)
class SeesSource:
    """Whom the server saw: the client's own IP and port, a loopback address, a node, or the gateway."""

    address: Literal["own", "loopback", "node", "gateway"]

    def __str__(self) -> str:
        return f"the server sees {SEEN[self.address]}"


@dataclass(frozen=True)
class AnsweredByHost:
    """A host outside the cluster answered, and says so under the request's nonce."""

    host: Literal["near", "outside"]

    def __str__(self) -> str:
        return f"answered by {self.host}"


@dataclass(frozen=True)
class ForwardedFor:
    """The backend was told the client's address, or its gateway's, in X-Forwarded-For."""

    def __str__(self) -> str:
        return "X-Forwarded-For names the client, or the gateway in front of it"


@dataclass(frozen=True)
class NotRouted:
    """What is no HTTP request gets no backend: an error of the proxy, or a closed connection."""

    def __str__(self) -> str:
        return "no backend, only the proxy's refusal"


@dataclass(frozen=True)
class ChainComplete:
    """Each service of the chain is the Pod that the API has there, saw the one before, and passed data on."""

    lab: str

    def __str__(self) -> str:
        return "frontend, REST service and database each saw the one before, and the data came back"


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
class Advertised:
    """The IP asked is the one that the stack exports as ``frontendIp``."""

    def __str__(self) -> str:
        return "at the IP exported as frontendIp"
