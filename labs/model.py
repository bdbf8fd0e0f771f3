"""The nouns of podpath as pure data: Claim, Peer, Probe, Expectation.

Nothing here knows Pulumi or the Kubernetes client, so a lab's probes can be listed, drawn and
checked without a cluster. The engine in ``scripts/probing`` gives them their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from labs.asks import Ask, Bind, Get, Namespaces, Replace, Resolve
from labs.expectations import (
    Advertised,
    AnsweredBy,
    Balanced,
    Connects,
    Expectation,
    NameUnknown,
    NoAnswer,
    NotTranslated,
    PortTaken,
    Refused,
    ResolvesTo,
    SameAddress,
    SameNamespace,
    SeesSource,
    Status,
    Translated,
    UpstreamSees,
)
from labs.peers import (
    HEADER_CONTAINER,
    HEADER_NODE,
    HEADER_NONCE,
    HEADER_PEER,
    HEADER_POD,
    HEADER_UPSTREAM_PEER,
    Balancer,
    Client,
    Container,
    Destination,
    Ingress,
    Localhost,
    Name,
    Node,
    Outside,
    Pod,
    Service,
    Source,
    Where,
)

__all__ = [
    "HEADER_CONTAINER",
    "HEADER_NODE",
    "HEADER_NONCE",
    "HEADER_PEER",
    "HEADER_POD",
    "HEADER_UPSTREAM_PEER",
    "Advertised",
    "AnsweredBy",
    "Ask",
    "Balanced",
    "Balancer",
    "Bind",
    "Claim",
    "Client",
    "Connects",
    "Container",
    "Destination",
    "Expectation",
    "Get",
    "Ingress",
    "Localhost",
    "Name",
    "NameUnknown",
    "Namespaces",
    "NoAnswer",
    "Node",
    "NotTranslated",
    "Outside",
    "Pod",
    "PortTaken",
    "Probe",
    "Refused",
    "Replace",
    "Resolve",
    "ResolvesTo",
    "SameAddress",
    "SameNamespace",
    "SeesSource",
    "Service",
    "Source",
    "Status",
    "Translated",
    "UpstreamSees",
    "Where",
]


@dataclass(frozen=True)
class Claim:
    """One sentence of the article, under the id it keeps everywhere."""

    id: str
    sentence: str


@dataclass(frozen=True)
class Probe:
    """One request from a Peer with an expectation: it reads as a sentence.

    ``controls`` names the positive controls of a negative probe by their ids: probes that must
    pass in the same run, or the negative one proves nothing and is inconclusive.
    """

    id: str
    claim: str
    source: Source
    ask: Ask
    expect: tuple[Expectation, ...]
    controls: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.source} asks {self.ask}: {', '.join(map(str, self.expect))}"
