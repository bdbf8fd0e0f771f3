"""What the lab claims: nodes and not Pods, the way back, both policies, a node port on every node."""

from __future__ import annotations

from labs.model import (
    AnsweredBy,
    Balancer,
    ByNodePort,
    Get,
    NoAnswer,
    NodePort,
    Outside,
    Probe,
    RewrittenBack,
    SeesSource,
)

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
        Get(Balancer(LAB, "web-cluster", 80), WHO, traced=True),
        (BY, ByNodePort()),
    ),
    Probe("I3-without", "I3", Outside(), Get(port("cluster", "without"), WHO), (BY,)),
    Probe(
        "I4-balancer",
        "I4",
        Outside(),
        Get(Balancer(LAB, "web-cluster", 80), WHO, traced=True),
        (BY, RewrittenBack()),
    ),
    Probe(
        "I4-nodeport",
        "I4",
        Outside(),
        Get(port("cluster", "without"), WHO, traced=True),
        (BY, RewrittenBack()),
    ),
    Probe("I5-local", "I5", Outside(), Get(port("local", "with"), WHO), (BY, SeesSource("own"))),
    Probe(
        "I5-skips",
        "I5",
        Outside(),
        Get(port("local", "without"), WHO),
        (NoAnswer(),),
        ("I6-without", "I5-local"),
    ),
    Probe("I5-cluster", "I5", Outside(), Get(port("cluster", "with"), WHO), (BY, SeesSource("node"))),
    Probe("I5-balancer", "I5", Outside(), Get(Balancer(LAB, "web-local", 80), WHO), (BY,)),
    *(
        Probe(f"I6-{at}", "I6", Outside(), Get(port("cluster", at), WHO), (BY,))
        for at in ("with", "without", "control")
    ),
)
