"""What the lab claims: no NAT between any Pods, veths on one bridge, two kinds of path, and the chain."""

from __future__ import annotations

from labs.model import (
    AnsweredBy,
    BridgePort,
    Chain,
    ChainComplete,
    Client,
    Container,
    CrossesNodes,
    Get,
    Interface,
    NotTranslated,
    Pod,
    Probe,
    SeesSource,
    Service,
    StaysOnNode,
    VethPair,
)
from labs.peers import Source

LAB = "pod-to-pod"
FRONTEND, REST, DATABASE = (
    Container(LAB, "frontend", "webapp"),
    Container(LAB, "rest", "rest"),
    Container(LAB, "database", "database"),
)
SOURCES: dict[str, Source] = {
    "client-1": Client(0),
    "client-2": Client(1),
    "frontend": FRONTEND,
    "rest": REST,
    "database": DATABASE,
}
SERVERS = {"frontend": ("nginx", 80), "rest": ("rest", 8000)}
BY = {name: AnsweredBy(LAB, name, container) for name, (container, _) in SERVERS.items()}

PROBES: tuple[Probe, ...] = (
    *(
        Probe(
            f"P1-{source}-{server}",
            "P1",
            peer,
            Get(Pod(LAB, server, port), "/whoami"),
            (BY[server], SeesSource("own"), NotTranslated()),
        )
        for source, peer in SOURCES.items()
        for server, (_, port) in SERVERS.items()
        if source != server
    ),
    *(
        Probe(f"{claim}-{name}", claim, peer, Interface(), (expected,))
        for claim, expected in (("P2", VethPair()), ("P3", BridgePort("cbr0")))
        for name, peer in SOURCES.items()
    ),
    Probe(
        "P4-frontend-rest",
        "P4",
        FRONTEND,
        Get(Pod(LAB, "rest", 8000, "same node"), "/whoami", traced=True),
        (BY["rest"], SeesSource("own"), StaysOnNode()),
    ),
    Probe(
        "P5-database-rest",
        "P5",
        DATABASE,
        Get(Pod(LAB, "rest", 8000, "other node"), "/whoami", traced=True),
        (BY["rest"], SeesSource("own"), CrossesNodes()),
    ),
    Probe("P6", "P6", Client(), Chain(Service(LAB, "frontend", 80)), (ChainComplete(LAB),)),
)
