"""The nouns of podpath as pure data: Claim, Peer, Probe, Expectation.

Nothing here knows Pulumi or the Kubernetes client, so a lab's probes can be listed, drawn and
checked without a cluster. The engine in ``scripts/probing`` gives them their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from labs.asks import (
    Ask,
    Bind,
    Chain,
    Converge,
    Disconnect,
    Get,
    Hang,
    Interface,
    Namespaces,
    Plain,
    ProxyMode,
    Relabel,
    Replace,
    Resolve,
    Sample,
    Table,
    Variables,
)
from labs.expectations import (
    Advertised,
    AnsweredBy,
    AnsweredByHost,
    ChainComplete,
    Connects,
    ForwardedFor,
    NameUnknown,
    NoAnswer,
    NotRouted,
    PortTaken,
    Refused,
    ResolvesTo,
    SeesSource,
    Status,
    UpstreamSees,
)
from labs.peers import (
    HEADER_CONTAINER,
    HEADER_FORWARDED_FOR,
    HEADER_NODE,
    HEADER_NONCE,
    HEADER_PEER,
    HEADER_POD,
    HEADER_UPSTREAM_PEER,
    At,
    Balancer,
    Client,
    Container,
    Destination,
    Gateway,
    Host,
    Ingress,
    KubeProxy,
    Localhost,
    Name,
    Node,
    NodePort,
    OnNode,
    Outside,
    Pod,
    Service,
    Source,
    Where,
)
from labs.proofs import (
    BecomesNode,
    BridgePort,
    ByNodePort,
    Converges,
    CrossesNodes,
    FailsByShare,
    FailsWith5xx,
    FollowsLabels,
    FollowsRules,
    LeavesGateway,
    LeavesNode,
    Masqueraded,
    ModeAccepted,
    ModeInForce,
    NoneFails,
    NotTranslated,
    RewrittenBack,
    SameAddress,
    SameNamespace,
    SameTable,
    StaysOnNode,
    Translated,
    VariablesPresent,
    VethPair,
)

__all__ = [
    "HEADER_CONTAINER",
    "HEADER_FORWARDED_FOR",
    "HEADER_NODE",
    "HEADER_NONCE",
    "HEADER_PEER",
    "HEADER_POD",
    "HEADER_UPSTREAM_PEER",
    "Advertised",
    "AnsweredBy",
    "AnsweredByHost",
    "Ask",
    "At",
    "Balancer",
    "BecomesNode",
    "Bind",
    "BridgePort",
    "ByNodePort",
    "Chain",
    "ChainComplete",
    "Claim",
    "Client",
    "Connects",
    "Container",
    "Converge",
    "Converges",
    "CrossesNodes",
    "Destination",
    "Disconnect",
    "Expectation",
    "FailsByShare",
    "FailsWith5xx",
    "FollowsLabels",
    "FollowsRules",
    "ForwardedFor",
    "Gateway",
    "Get",
    "Hang",
    "Host",
    "Ingress",
    "Interface",
    "KubeProxy",
    "LeavesGateway",
    "LeavesNode",
    "Localhost",
    "Masqueraded",
    "ModeAccepted",
    "ModeInForce",
    "Name",
    "NameUnknown",
    "Namespaces",
    "NoAnswer",
    "Node",
    "NodePort",
    "NoneFails",
    "NotRouted",
    "NotTranslated",
    "OnNode",
    "Outside",
    "Plain",
    "Pod",
    "PortTaken",
    "Probe",
    "ProxyMode",
    "Refused",
    "Relabel",
    "Replace",
    "Resolve",
    "ResolvesTo",
    "RewrittenBack",
    "SameAddress",
    "SameNamespace",
    "SameTable",
    "Sample",
    "SeesSource",
    "Service",
    "Source",
    "Status",
    "StaysOnNode",
    "Table",
    "Translated",
    "UpstreamSees",
    "Variables",
    "VariablesPresent",
    "VethPair",
    "Where",
]

Expectation = (
    AnsweredBy
    | SeesSource
    | AnsweredByHost
    | ForwardedFor
    | NotRouted
    | ChainComplete
    | UpstreamSees
    | NoAnswer
    | Refused
    | NameUnknown
    | Status
    | Connects
    | ResolvesTo
    | PortTaken
    | Advertised
    | Translated
    | NotTranslated
    | Masqueraded
    | SameNamespace
    | VethPair
    | BridgePort
    | StaysOnNode
    | CrossesNodes
    | BecomesNode
    | LeavesNode
    | LeavesGateway
    | ByNodePort
    | RewrittenBack
    | FollowsRules
    | SameTable
    | VariablesPresent
    | ModeInForce
    | ModeAccepted
    | SameAddress
    | FollowsLabels
    | Converges
    | FailsByShare
    | NoneFails
    | FailsWith5xx
)


@dataclass(frozen=True)
class Claim:
    """One sentence of the article, under the id it keeps everywhere."""

    id: str
    sentence: str


@dataclass(frozen=True)
class Probe:
    """One request from a Peer with an expectation: it reads as a sentence.

    ``controls`` names the positive controls of a negative probe by their ids: probes that must
    pass in the same run, or the negative one proves nothing and is inconclusive. ``instead`` is set on
    a probe whose success refutes a part of its claim: it says what is true instead.
    """

    id: str
    claim: str
    source: Source
    ask: Ask
    expect: tuple[Expectation, ...]
    controls: tuple[str, ...] = ()
    instead: str = ""

    def __str__(self) -> str:
        return f"{self.source} asks {self.ask}: {', '.join(map(str, self.expect))}"
