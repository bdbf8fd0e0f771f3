"""What the lab claims: routes by host and by path, and no backend for anything else."""

from __future__ import annotations

from labs.model import AnsweredBy, Get, Ingress, Outside, Probe, Status

LAB = "ingress-l7"


def asked(host: str, path: str = "/") -> Get:
    """A request to the Ingress under a host name."""
    return Get(Ingress(LAB, "frontend", host), path)


PROBES: tuple[Probe, ...] = (
    *(
        Probe(
            f"I7-{backend}",
            "I7",
            Outside(),
            asked(f"{backend}.podpath.test"),
            (AnsweredBy(LAB, backend, "nginx"),),
        )
        for backend in ("shop", "blog")
    ),
    *(
        Probe(
            f"I8-{backend}",
            "I8",
            Outside(),
            asked("www.podpath.test", f"/{backend}"),
            (AnsweredBy(LAB, backend, "nginx"),),
        )
        for backend in ("shop", "blog")
    ),
    Probe(
        "I9-host", "I9", Outside(), asked("unknown.podpath.test"), (Status(404, backend=False),), ("I7-shop",)
    ),
    Probe(
        "I9-path",
        "I9",
        Outside(),
        asked("www.podpath.test", "/unknown"),
        (Status(404, backend=False),),
        ("I8-shop",),
    ),
)
