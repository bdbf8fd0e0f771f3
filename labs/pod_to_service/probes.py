"""What the lab claims: the Service in front of its Pods, its balancer, its names, its rules over time."""

from __future__ import annotations

from labs.model import (
    Advertised,
    AnsweredBy,
    Balancer,
    Client,
    Container,
    Converge,
    Converges,
    FailsByShare,
    FollowsLabels,
    FollowsRules,
    Get,
    Hang,
    KubeProxy,
    ModeAccepted,
    ModeInForce,
    Name,
    NameUnknown,
    NoAnswer,
    NoneFails,
    Outside,
    Probe,
    ProxyMode,
    Relabel,
    Replace,
    Resolve,
    ResolvesTo,
    SameAddress,
    SameTable,
    Sample,
    Service,
    Table,
    Translated,
    Variables,
    VariablesPresent,
)

LAB = "pod-to-service"
CONTAINERS = {80: "nginx", 8080: "webapp"}
BY = {port: AnsweredBy(LAB, "frontend", container) for port, container in CONTAINERS.items()}
UNSERVED = 81
SPARE, SPARE_READY = "spare", "spare-ready"


def service(port: int = 80) -> Service:
    """The Service ``frontend`` by its clusterIP."""
    return Service(LAB, "frontend", port)


PROBES: tuple[Probe, ...] = (
    Probe("S1", "S1", Client(), Replace(LAB, "frontend", "frontend", 80), (SameAddress(),)),
    *(Probe(f"S2-{n + 1}", "S2", Client(n), Sample(service()), (FollowsRules(),)) for n in range(2)),
    Probe("S3", "S3", Client(), Relabel(LAB, SPARE, "frontend"), (FollowsLabels(),)),
    Probe("S4", "S4", Client(), Table(LAB, "frontend"), (SameTable(),)),
    Probe("S5", "S5", Client(), Converge(LAB, SPARE, "frontend"), (Converges(),)),
    *(
        Probe(f"S6-{n + 1}-{port}", "S6", Client(n), Get(service(port)), (BY[port], Translated()))
        for n in range(2)
        for port in CONTAINERS
    ),
    Probe("S7-hangs", "S7", Client(), Hang(LAB, SPARE, "frontend", ready=False), (FailsByShare(),)),
    Probe(
        "S7-ready",
        "S7",
        Client(),
        Hang(LAB, SPARE_READY, "frontend", ready=True),
        (NoneFails(),),
        ("S7-hangs",),
    ),
    Probe("S8-service", "S8", Client(), Resolve(LAB, "frontend"), (ResolvesTo("clusterIP"),)),
    Probe("S8-pods", "S8", Client(), Resolve(LAB, "peer", pods=True), (ResolvesTo("Pod IPs"),)),
    Probe("S8-headless", "S8", Client(), Resolve(LAB, "peer"), (ResolvesTo("Pod IPs"),)),
    Probe("S8-use", "S8", Client(), Get(Service(LAB, "frontend", 80, by="name")), (BY[80],)),
    Probe(
        "S8-unknown",
        "S8",
        Client(),
        Get(Name(f"no-such-service.podpath-{LAB}.svc.cluster.local")),
        (NameUnknown(),),
        ("S8-use",),
    ),
    Probe(
        "S9-force",
        "S9",
        KubeProxy(),
        ProxyMode("nftables"),
        (ModeInForce(("iptables", "nftables")), ModeAccepted(True)),
    ),
    Probe("S9-ipvs", "S9", KubeProxy(), ProxyMode("ipvs"), (ModeAccepted(True),)),
    Probe(
        "S9-userspace",
        "S9",
        KubeProxy(),
        ProxyMode("userspace"),
        (ModeAccepted(False),),
        instead="the userspace mode is gone (removed in Kubernetes 1.26); today's modes are iptables, "
        "nftables and, where the kernel has it, IPVS",
    ),
    Probe(
        "S10", "S10", Container(LAB, SPARE, "nginx"), Variables(LAB, SPARE, "frontend"), (VariablesPresent(),)
    ),
    Probe("S10-frontend", "S10", Client(), Variables(LAB, "frontend", "frontend"), (VariablesPresent(),)),
    Probe("I1", "I1", Outside(), Get(Balancer(LAB, "frontend", 80)), (Advertised(), BY[80])),
    *(
        Probe(f"I2-{port}", "I2", Outside(), Get(Balancer(LAB, "frontend", port)), (BY[port],))
        for port in CONTAINERS
    ),
    *(
        Probe(f"F1-{n + 1}", "F1", Client(n), Get(service(UNSERVED)), (NoAnswer(),), (f"S6-{n + 1}-80",))
        for n in range(2)
    ),
)
