"""What the lab claims: a NAT at the node, another at the gateway, none inside, and who can reach a Pod."""

from __future__ import annotations

from labs.model import (
    AnsweredBy,
    AnsweredByHost,
    BecomesNode,
    Client,
    Connects,
    Container,
    Get,
    Host,
    LeavesGateway,
    LeavesNode,
    Masqueraded,
    NoAnswer,
    Node,
    NotTranslated,
    OnNode,
    Outside,
    Pod,
    Probe,
    SeesSource,
)

LAB = "egress"
TRAVELLER = Container(LAB, "traveller", "nginx")
BY = AnsweredBy(LAB, "traveller", "nginx")
KUBELET = 10250

PROBES: tuple[Probe, ...] = (
    Probe(
        "E1-node",
        "E1",
        TRAVELLER,
        Get(Host("near"), "/whoami"),
        (AnsweredByHost("near"), SeesSource("node"), Masqueraded()),
    ),
    Probe(
        "E1-trace",
        "E1",
        TRAVELLER,
        Get(Host("near"), "/whoami", traced=True),
        (AnsweredByHost("near"), SeesSource("node"), BecomesNode()),
    ),
    Probe(
        "E2-gateway",
        "E2",
        TRAVELLER,
        Get(Host("outside"), "/whoami", traced=True),
        (AnsweredByHost("outside"), SeesSource("gateway"), LeavesGateway()),
    ),
    Probe(
        "E3-pod",
        "E3",
        Client(),
        Get(Pod(LAB, "traveller", 80), "/whoami"),
        (BY, SeesSource("own"), NotTranslated()),
    ),
    Probe(
        "E3-node",
        "E3",
        TRAVELLER,
        Get(Node(KUBELET, where="same node"), scheme="https"),
        (Connects(), NotTranslated()),
    ),
    Probe(
        "E3-other",
        "E3",
        TRAVELLER,
        Get(Node(KUBELET, where="other node"), scheme="https"),
        (Connects(), Masqueraded()),
        instead="a Pod that speaks to another node than its own is source-NATed here too: "
        "flannel's rule spares only the Pod network",
    ),
    Probe(
        "E4-path",
        "E4",
        TRAVELLER,
        Get(Host("outside"), "/whoami", traced=True),
        (AnsweredByHost("outside"), LeavesNode()),
    ),
    Probe("E5-reach", "E5", Outside(), Get(Node(KUBELET), scheme="https"), (Connects(),)),
    Probe("E5-outside", "E5", Outside(), Get(Pod(LAB, "traveller", 80)), (NoAnswer(),), ("E5-reach",)),
    Probe(
        "E5-node",
        "E5",
        OnNode(),
        Get(Pod(LAB, "traveller", 80), "/whoami"),
        (BY, SeesSource("node")),
        instead="an outside machine cannot reach a Pod's IP, but every node of the cluster can",
    ),
)
