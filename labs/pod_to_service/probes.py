"""What the lab claims: Pod to Pod without NAT, the Service in front of them, its balancer, its names."""

from __future__ import annotations

from labs.model import (
    Advertised,
    AnsweredBy,
    Balanced,
    Balancer,
    Client,
    Get,
    Name,
    NameUnknown,
    NoAnswer,
    NotTranslated,
    Outside,
    Pod,
    Probe,
    Replace,
    Resolve,
    ResolvesTo,
    SameAddress,
    SeesSource,
    Service,
    Translated,
)

LAB = "pod-to-service"
CONTAINERS = {80: "nginx", 8080: "webapp"}
BY = {port: AnsweredBy(LAB, "frontend", container) for port, container in CONTAINERS.items()}
UNSERVED = 81
SAMPLE = 300  # 100 a Pod of three: a share off by a sixth is noticed more often than not


def service(port: int = 80) -> Service:
    """The Service ``frontend`` by its clusterIP."""
    return Service(LAB, "frontend", port)


PROBES: tuple[Probe, ...] = (
    *(
        Probe(
            f"P1-{n + 1}-{where.split()[0]}",
            "P1",
            Client(n),
            Get(Pod(LAB, "frontend", 80, where), "/whoami"),
            (BY[80], SeesSource("own"), NotTranslated()),
        )
        for n in range(2)
        for where in ("same node", "other node")
    ),
    Probe("S1", "S1", Client(), Replace(LAB, "frontend", "frontend", 80), (SameAddress(),)),
    Probe("S2", "S2", Client(), Get(service(), "/whoami", times=SAMPLE), (Balanced(LAB, "frontend"),)),
    *(
        Probe(f"S6-{n + 1}-{port}", "S6", Client(n), Get(service(port)), (BY[port], Translated()))
        for n in range(2)
        for port in CONTAINERS
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
