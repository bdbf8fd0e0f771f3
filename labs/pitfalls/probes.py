"""What the lab claims: size, loss, hairpin, UDP, affinity, Pods that end, policies of both kinds."""

from __future__ import annotations

from scripts.checks.answerers import Answerers
from scripts.checks.answers import AnsweredBy, AnsweredByItself, AnsweredThere, NoAnswer
from scripts.checks.base import Probe
from scripts.checks.datagrams import Datagrams
from scripts.checks.destinations import Balancer, NodePort, Pod, Service
from scripts.checks.enforcement import Enforced
from scripts.checks.kept import Bereft, Freed
from scripts.checks.largest import Largest
from scripts.checks.loss import Steady
from scripts.checks.mesh import EveryClient, Mesh
from scripts.checks.peers import Beside, Client, Outside, PodOn
from scripts.checks.policy import Denied
from scripts.checks.request import Get
from scripts.checks.resend import Resend
from scripts.checks.resolve import Resolve
from scripts.checks.roll import Roll
from scripts.checks.size import Downloads, Uploads
from scripts.checks.sources import SeesSource
from scripts.checks.translation import NotTranslated

LAB = "pitfalls"
WHO = "/whoami"
BY = AnsweredBy(LAB, "server", "nginx")
LONE = (AnsweredBy(LAB, "lone", "nginx"),)
SAME, OTHER = Pod(LAB, "server", 80, "same node"), Pod(LAB, "server", 80, "other node")
BALANCER = Balancer("ingress-l4", "web-cluster", 80)
UDP, UNSERVED = 5300, 5301
DATAGRAM_SAME = Pod(LAB, "datagram", UDP, "same node")
DATAGRAM_OTHER = Pod(LAB, "datagram", UDP, "other node")
GUARDED = {"same": Pod(LAB, "guarded", 80, "same node"), "other": Pod(LAB, "guarded", 80, "other node")}
GUARD = (AnsweredBy(LAB, "guarded", "nginx"),)
UNTOUCHED = (BY, SeesSource("own"), NotTranslated())


def client(n: int = 0) -> Client:
    """The client on one of the nodes that run the lab's servers."""
    return Client(n, (LAB, "server"))


def service(name: str) -> Service:
    """A Service of the lab by its clusterIP."""
    return Service(LAB, name, 80)


PROBES: tuple[Probe, ...] = (
    *(
        Probe(f"P1-mesh-{n + 1}-{where}", "P1", client(n), Get(to, UNTOUCHED, WHO))
        for n in range(2)
        for where, to in (("same", SAME), ("other", OTHER))
    ),
    *(
        Probe(f"P1-back-{n + 1}", "P1", PodOn(LAB, "server", "nginx", n), Get(OTHER, UNTOUCHED, WHO))
        for n in range(2)
    ),
    Probe("P1-nodes", "P1", EveryClient(), Mesh((AnsweredThere("nginx"), *UNTOUCHED[1:]))),
    *(
        Probe(f"K1-{way}-{n + 1}-{where}", "K1", client(n), check(to))
        for n in range(2)
        for where, to in (("same", SAME), ("other", OTHER), ("service", service("server")))
        for way, check in (("get", Downloads), ("post", Uploads))
    ),
    *(
        Probe(f"K1-largest-{n + 1}-{where}", "K1", client(n), Largest(to))
        for n in range(2)
        for where, to in (("same", DATAGRAM_SAME), ("other", DATAGRAM_OTHER))
    ),
    Probe("K1-get-balancer", "K1", Outside(), Downloads(BALANCER)),
    Probe("K1-post-balancer", "K1", Outside(), Uploads(BALANCER)),
    *(  # from Pods that ask nobody else: a client's counters also tell of what nobody should answer
        Probe(f"K2-{n + 1}", "K2", PodOn(LAB, "server", "nginx", n), Steady(OTHER)) for n in range(2)
    ),
    *(
        Probe(
            f"K3-{n + 1}",
            "K3",
            PodOn(LAB, "server", "nginx", n),
            Get(service("near"), (BY, AnsweredByItself()), WHO),
        )
        for n in range(2)
    ),
    *(
        Probe(f"K4-direct-{n + 1}-{where}", "K4", client(n), Datagrams(to))
        for n in range(2)
        for where, to in (("same", DATAGRAM_SAME), ("other", DATAGRAM_OTHER))
    ),
    *(
        Probe(f"K4-service-{n + 1}", "K4", client(n), Datagrams(Service(LAB, "datagram", UDP)))
        for n in range(2)
    ),
    Probe(
        "K4-nodeport",
        "K4",
        client(),
        Datagrams(NodePort(LAB, "datagram", UDP, "control plane", protocol="UDP")),
    ),
    Probe(
        "K4-nobody",
        "K4",
        client(),
        Datagrams(Pod(LAB, "datagram", UNSERVED, "other node"), "a refusal"),
        ("K4-direct-1-other",),
    ),
    Probe("K4-dns-udp", "K4", client(), Resolve(LAB, "server")),
    Probe("K4-dns-tcp", "K4", client(), Resolve(LAB, "server", over="TCP")),
    Probe(
        "K4-replaced",
        "K4",
        client(),
        Resend(LAB, "datagram", "datagram", UDP),
        rests_on=("K4-service-1",),
    ),
    Probe("K5-free", "K5", client(), Answerers(service("server"), "several Pods"), carries=False),
    Probe("K5-kept", "K5", client(), Answerers(service("sticky"), "one Pod"), ("K5-free",)),
    Probe("K5-timeout", "K5", client(), Freed(service("brief"), 1)),
    Probe(
        "K5-gone",
        "K5",
        client(),
        Bereft(service("sticky"), "server"),
        rests_on=("K5-kept",),
    ),
    *(
        Probe(f"K6-near-{n + 1}", "K6", client(n), Answerers(service("near"), "its own node's Pods"))
        for n in range(2)
    ),
    Probe(
        "K6-alive",
        "K6",
        Beside(LAB, "lone", "other node"),
        Get(Pod(LAB, "lone", 80), LONE, WHO),
        carries=False,
    ),
    Probe("K6-there", "K6", Beside(LAB, "lone", "same node"), Get(service("lone"), LONE, WHO)),
    Probe(
        "K6-nobody",
        "K6",
        Beside(LAB, "lone", "other node"),
        Get(service("lone"), (NoAnswer(),), WHO),
        ("K6-alive",),
    ),
    Probe(  # where connections are lost anyhow, none that fails tells of a Pod's end
        "K7",
        "K7",
        client(),
        Roll(LAB, "graceful", "abrupt"),
        rests_on=("K2-1", "K2-2", "K5-free"),
    ),
    *(  # the truth table: who is let in and who is not, on each node, beside the Pods that no policy selects
        Probe(
            f"K8-denied-{n + 1}-{where}",
            "K8",
            client(n),
            Get(to, (Denied("guarded"),), WHO, traced=True),
            (f"P1-mesh-{n + 1}-{where}", f"K8-allowed-{n + 1}-{where}"),
        )
        for n in range(2)
        for where, to in GUARDED.items()
    ),
    *(
        Probe(f"K8-allowed-{n + 1}-{where}", "K8", PodOn(LAB, "server", "nginx", n), Get(to, GUARD, WHO))
        for n in range(2)
        for where, to in GUARDED.items()
    ),
    *(  # a policy for Ingress says nothing of what its Pods ask themselves
        Probe(f"K8-outward-{n + 1}", "K8", PodOn(LAB, "guarded", "nginx", n), Get(OTHER, UNTOUCHED, WHO))
        for n in range(2)
    ),
    Probe(
        "K8-follows",
        "K8",
        client(),
        Enforced(LAB, "guarded", "guarded"),
        rests_on=("K8-denied-1-same", "K8-denied-1-other"),
    ),
)
