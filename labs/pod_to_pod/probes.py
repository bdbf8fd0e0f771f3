"""What the lab claims: no NAT between any Pods, veths on one bridge, two kinds of path, and the chain."""

from __future__ import annotations

from scripts.checks.answers import AnsweredBy
from scripts.checks.base import Probe
from scripts.checks.chain import Chain
from scripts.checks.destinations import Pod, Service
from scripts.checks.interface import Interface
from scripts.checks.paths import CrossesNodes, StaysOnNode
from scripts.checks.peers import Client, Container, Source
from scripts.checks.request import Get
from scripts.checks.sources import SeesSource
from scripts.checks.translation import NotTranslated

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
            Get(Pod(LAB, server, port), (BY[server], SeesSource("own"), NotTranslated()), "/whoami"),
        )
        for source, peer in SOURCES.items()
        for server, (_, port) in SERVERS.items()
        if source != server
    ),
    *(
        Probe(f"{claim}-{name}", claim, peer, look)
        for claim, look in (("P2", Interface()), ("P3", Interface(bridge="cbr0")))
        for name, peer in SOURCES.items()
    ),
    Probe(
        "P4-frontend-rest",
        "P4",
        FRONTEND,
        Get(
            Pod(LAB, "rest", 8000, "same node"),
            (BY["rest"], SeesSource("own"), StaysOnNode()),
            "/whoami",
            traced=True,
        ),
    ),
    Probe(
        "P5-database-rest",
        "P5",
        DATABASE,
        Get(
            Pod(LAB, "rest", 8000, "other node"),
            (BY["rest"], SeesSource("own"), CrossesNodes()),
            "/whoami",
            traced=True,
        ),
    ),
    Probe("P6", "P6", Client(), Chain(Service(LAB, "frontend", 80))),
)
