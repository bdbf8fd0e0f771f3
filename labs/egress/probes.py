"""What the lab claims: a NAT at the node, another at the gateway, none inside, and who can reach a Pod."""

from __future__ import annotations

from scripts.checks.answers import AnsweredBy, AnsweredByHost, Connects, NoAnswer
from scripts.checks.base import Probe
from scripts.checks.destinations import Host, Node, Pod
from scripts.checks.fence import Fence
from scripts.checks.paths import BecomesNode, LeavesGateway, LeavesNode
from scripts.checks.peers import Client, Container, Near, OnNode, Outside
from scripts.checks.request import Get
from scripts.checks.sources import SeesSource
from scripts.checks.translation import Masqueraded, NotTranslated

LAB = "egress"
TRAVELLER = Container(LAB, "traveller", "nginx")
BY = AnsweredBy(LAB, "traveller", "nginx")
KUBELET = 10250

PROBES: tuple[Probe, ...] = (
    Probe(
        "E1-node",
        "E1",
        TRAVELLER,
        Get(Host("near"), (AnsweredByHost("near"), SeesSource("node"), Masqueraded()), "/whoami"),
    ),
    *(
        Probe(
            f"E1-client-{n + 1}",
            "E1",
            Client(n),
            Get(Host("near"), (AnsweredByHost("near"), SeesSource("node"), Masqueraded()), "/whoami"),
        )
        for n in range(2)
    ),
    *(
        Probe(
            f"E2-client-{n + 1}",
            "E2",
            Client(n),
            Get(Host("outside"), (AnsweredByHost("outside"), SeesSource("gateway")), "/whoami"),
        )
        for n in range(2)
    ),
    Probe(
        "E1-trace",
        "E1",
        TRAVELLER,
        Get(
            Host("near"), (AnsweredByHost("near"), SeesSource("node"), BecomesNode()), "/whoami", traced=True
        ),
    ),
    Probe(
        "E2-gateway",
        "E2",
        TRAVELLER,
        Get(
            Host("outside"),
            (AnsweredByHost("outside"), SeesSource("gateway"), LeavesGateway()),
            "/whoami",
            traced=True,
        ),
    ),
    Probe(
        "E3-pod",
        "E3",
        Client(),
        Get(Pod(LAB, "traveller", 80), (BY, SeesSource("own"), NotTranslated()), "/whoami"),
    ),
    Probe(
        "E3-node",
        "E3",
        TRAVELLER,
        Get(Node(KUBELET, where="same node"), (Connects(), NotTranslated()), scheme="https"),
    ),
    Probe(
        "E3-other",
        "E3",
        TRAVELLER,
        Get(Node(KUBELET, where="other node"), (Connects(), Masqueraded()), scheme="https"),
        instead="a Pod that speaks to another node than its own is source-NATed here too: "
        "the rule that masquerades spares only the Pod network",
    ),
    Probe(
        "E4-path",
        "E4",
        TRAVELLER,
        Get(Host("outside"), (AnsweredByHost("outside"), LeavesNode()), "/whoami", traced=True),
    ),
    Probe("E5-reach", "E5", Outside(), Get(Node(KUBELET), (Connects(),), scheme="https"), carries=False),
    Probe("E5-outside", "E5", Outside(), Get(Pod(LAB, "traveller", 80), (NoAnswer(),)), ("E5-reach",)),
    Probe(
        "E5-node",
        "E5",
        OnNode(),
        Get(Pod(LAB, "traveller", 80), (BY, SeesSource("node")), "/whoami"),
        instead="an outside machine cannot reach a Pod's IP, but every node of the cluster can",
    ),
    Probe("F1-fence", "F1", Near(), Fence()),
)
