"""What the lab claims: one namespace, one localhost, one port space, and nothing outside."""

from __future__ import annotations

from scripts.checks.answers import AnsweredBy, Connects, NoAnswer
from scripts.checks.base import Probe
from scripts.checks.bind import Bind
from scripts.checks.destinations import Localhost, Node, Pod
from scripts.checks.namespaces import Namespaces
from scripts.checks.peers import Client, Container, Outside
from scripts.checks.request import Get
from scripts.checks.sources import SeesSource, UpstreamSees

LAB = "container-to-container"
NGINX = Container(LAB, "frontend", "nginx")
WEBAPP = Container(LAB, "frontend", "webapp")
BY_NGINX = AnsweredBy(LAB, "frontend", "nginx")
BY_WEBAPP = AnsweredBy(LAB, "frontend", "webapp")
KUBELET = 10250  # listens on every node: shows that the outside host reaches it at all
LOOPBACK = SeesSource("loopback")


def frontend(port: int) -> Pod:
    """The article's Pod by its own IP."""
    return Pod(LAB, "frontend", port)


PROBES: tuple[Probe, ...] = (
    Probe("C1", "C1", NGINX, Namespaces((WEBAPP,), stranger=Client())),
    Probe("C2-app", "C2", NGINX, Get(Localhost(8080), (BY_WEBAPP, LOOPBACK))),
    Probe("C2-proxy", "C2", WEBAPP, Get(Localhost(80), (BY_NGINX, LOOPBACK, UpstreamSees()))),
    Probe("C2-pod", "C2", Client(), Get(frontend(80), (BY_NGINX, SeesSource("own"), UpstreamSees()))),
    Probe("C3", "C3", NGINX, Bind(8080, control=18080)),
    Probe("C4-alive", "C4", Client(), Get(frontend(8080), (BY_WEBAPP,)), carries=False),
    *(
        Probe(
            f"C4-pod-{port}",
            "C4",
            Outside(),
            Get(frontend(port), (NoAnswer(),)),
            ("C4-alive", "C4-reach-1"),
        )
        for port in (80, 8080)
    ),
    *(
        Probe(
            f"C4-reach-{n + 1}",
            "C4",
            Outside(),
            Get(Node(KUBELET, n), (Connects(),), scheme="https"),
            carries=False,
        )
        for n in range(2)
    ),
    *(
        Probe(
            f"C4-node-{n + 1}-{port}",
            "C4",
            Outside(),
            Get(Node(port, n), (NoAnswer(),)),
            ("C4-alive", f"C4-reach-{n + 1}"),
        )
        for n in range(2)
        for port in (80, 8080)
    ),
)
