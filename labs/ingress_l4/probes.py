"""What the lab claims: nodes and no Pods, the way back, both traffic policies, a node port on every node."""

from __future__ import annotations

from scripts.checks.answers import AnsweredBy, NoAnswer
from scripts.checks.base import Probe
from scripts.checks.destinations import Balancer, NodePort
from scripts.checks.paths import ByNodePort, RewrittenBack
from scripts.checks.peers import Outside
from scripts.checks.request import Get
from scripts.checks.sources import SeesSource

LAB = "ingress-l4"
BY = AnsweredBy(LAB, "web", "nginx")
WHO = "/whoami"


def port(policy: str, at: str) -> NodePort:
    """The node port of a policy's Service."""
    places = {"with": "node with a Pod", "without": "node without a Pod", "control": "control plane"}
    return NodePort(LAB, f"web-{policy}", 80, places[at])  # type: ignore[arg-type]


PROBES: tuple[Probe, ...] = (
    Probe(
        "I3-trace",
        "I3",
        Outside(),
        Get(Balancer(LAB, "web-cluster", 80), (BY, ByNodePort()), WHO, traced=True),
    ),
    Probe("I3-without", "I3", Outside(), Get(port("cluster", "without"), (BY,), WHO)),
    Probe(
        "I4-balancer",
        "I4",
        Outside(),
        Get(Balancer(LAB, "web-cluster", 80), (BY, RewrittenBack()), WHO, traced=True),
    ),
    Probe(
        "I4-nodeport",
        "I4",
        Outside(),
        Get(port("cluster", "without"), (BY, RewrittenBack()), WHO, traced=True),
    ),
    Probe("I5-local", "I5", Outside(), Get(port("local", "with"), (BY, SeesSource("own")), WHO)),
    Probe(
        "I5-skips",
        "I5",
        Outside(),
        Get(port("local", "without"), (NoAnswer(),), WHO),
        ("I6-without", "I5-local"),
    ),
    Probe("I5-cluster", "I5", Outside(), Get(port("cluster", "with"), (BY, SeesSource("node")), WHO)),
    Probe("I5-balancer", "I5", Outside(), Get(Balancer(LAB, "web-local", 80), (BY,), WHO)),
    *(
        Probe(f"I6-{at}", "I6", Outside(), Get(port("cluster", at), (BY,), WHO))
        for at in ("with", "without", "control")
    ),
)
