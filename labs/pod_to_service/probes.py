"""What the lab claims: the Service in front of its Pods, its balancer, its names, its rules over time."""

from __future__ import annotations

from scripts.checks.answers import Advertised, AnsweredBy, NameUnknown, NoAnswer
from scripts.checks.base import Probe
from scripts.checks.converge import Converge
from scripts.checks.destinations import Balancer, Name, Service
from scripts.checks.hang import Hang
from scripts.checks.peers import Client, Container, KubeProxy, Outside
from scripts.checks.proxymode import ProxyMode
from scripts.checks.relabel import Relabel
from scripts.checks.replace import Replace
from scripts.checks.request import Get
from scripts.checks.resolve import Resolve
from scripts.checks.sample import Sample
from scripts.checks.table import Table
from scripts.checks.translation import Translated
from scripts.checks.variables import Variables

LAB = "pod-to-service"
CONTAINERS = {80: "nginx", 8080: "webapp"}
BY = {port: AnsweredBy(LAB, "frontend", container) for port, container in CONTAINERS.items()}
UNSERVED = 81
SPARE, SPARE_READY = "spare", "spare-ready"
STANDS = ("S6-1-80", "S2-1", "S4", "S9-force")
"""Without a Service that answers, and a kube-proxy that follows, there is no change to be seen."""


def service(port: int = 80) -> Service:
    """The Service ``frontend`` by its clusterIP."""
    return Service(LAB, "frontend", port)


PROBES: tuple[Probe, ...] = (
    Probe("S1", "S1", Client(), Replace(LAB, "frontend", "frontend", 80), rests_on=STANDS),
    *(Probe(f"S2-{n + 1}", "S2", Client(n), Sample(service())) for n in range(2)),
    Probe("S3", "S3", Client(), Relabel(LAB, SPARE, "frontend"), rests_on=STANDS),
    Probe("S4", "S4", Client(), Table(LAB, "frontend")),
    Probe("S5", "S5", Client(), Converge(LAB, SPARE, "frontend"), rests_on=STANDS),
    *(
        Probe(f"S6-{n + 1}-{port}", "S6", Client(n), Get(service(port), (BY[port], Translated())))
        for n in range(2)
        for port in CONTAINERS
    ),
    Probe("S7-hangs", "S7", Client(), Hang(LAB, SPARE, "frontend", ready=False), rests_on=STANDS),
    Probe(
        "S7-ready",
        "S7",
        Client(),
        Hang(LAB, SPARE_READY, "frontend", ready=True),
        ("S7-hangs",),
        rests_on=(*STANDS, "S7-hangs"),
    ),
    Probe("S8-service", "S8", Client(), Resolve(LAB, "frontend")),
    Probe("S8-pods", "S8", Client(), Resolve(LAB, "peer", pods=True)),
    Probe("S8-headless", "S8", Client(), Resolve(LAB, "peer", headless=True)),
    Probe("S8-use", "S8", Client(), Get(Service(LAB, "frontend", 80, by="name"), (BY[80],))),
    Probe(
        "S8-unknown",
        "S8",
        Client(),
        Get(Name(f"no-such-service.podpath-{LAB}.svc.cluster.local"), (NameUnknown(),)),
        ("S8-use",),
    ),
    Probe(
        "S9-force",
        "S9",
        KubeProxy(),
        ProxyMode("nftables", in_force=("iptables", "nftables")),
    ),
    Probe("S9-ipvs", "S9", KubeProxy(), ProxyMode("ipvs")),
    Probe(
        "S9-userspace",
        "S9",
        KubeProxy(),
        ProxyMode("userspace", accepted=False),
        instead="the userspace mode is gone (removed in Kubernetes 1.26); today's modes are iptables, "
        "nftables and, where the kernel has it, IPVS",
    ),
    Probe("S10", "S10", Container(LAB, SPARE, "nginx"), Variables(LAB, SPARE, "frontend")),
    Probe("S10-frontend", "S10", Client(), Variables(LAB, "frontend", "frontend")),
    Probe("I1", "I1", Outside(), Get(Balancer(LAB, "frontend", 80), (Advertised(), BY[80]))),
    *(
        Probe(f"I2-{port}", "I2", Outside(), Get(Balancer(LAB, "frontend", port), (BY[port],)))
        for port in CONTAINERS
    ),
    *(
        Probe(
            f"F1-{n + 1}",
            "F1",
            Client(n),
            Get(service(UNSERVED), (NoAnswer(),)),
            (f"S6-{n + 1}-80",),
            fence=True,
        )
        for n in range(2)
    ),
)
