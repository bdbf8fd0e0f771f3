"""What the lab claims: routes by host and path, as Ingress and as Gateway, and what stands behind them."""

from __future__ import annotations

from labs.model import (
    AnsweredBy,
    Disconnect,
    FailsWith5xx,
    ForwardedFor,
    Gateway,
    Get,
    Ingress,
    NotRouted,
    Outside,
    Plain,
    Probe,
    Status,
)

LAB = "ingress-l7"
BY = {name: AnsweredBy(LAB, name, "nginx") for name in ("shop", "blog")}
UNKNOWN = {"host": ("unknown.podpath.test", "/"), "path": ("www.podpath.test", "/unknown")}
CONTROLS = {"host": "shop", "path": "shop-path"}


def via(kind: type[Ingress] | type[Gateway], host: str, path: str = "/") -> Get:
    """A request under a host name to the Ingress, or to the Gateway with the same routes."""
    return Get(kind(LAB, "frontend", host), path)


PROBES: tuple[Probe, ...] = (
    *(
        Probe(f"I7-{name}", "I7", Outside(), via(Ingress, f"{name}.podpath.test"), (by,))
        for name, by in BY.items()
    ),
    *(
        Probe(f"I8-{name}", "I8", Outside(), via(Ingress, "www.podpath.test", f"/{name}"), (by,))
        for name, by in BY.items()
    ),
    *(
        Probe(
            f"I9-{what}",
            "I9",
            Outside(),
            via(Ingress, *asked),
            (Status(404, backend=False),),
            ("I7-shop" if what == "host" else "I8-shop",),
        )
        for what, asked in UNKNOWN.items()
    ),
    Probe("I10-forwarded", "I10", Outside(), via(Ingress, "shop.podpath.test"), (BY["shop"], ForwardedFor())),
    Probe(
        "I10-plain",
        "I10",
        Outside(),
        Plain(Ingress(LAB, "frontend", "shop.podpath.test")),
        (NotRouted(),),
        ("I10-forwarded",),
    ),
    Probe(
        "I11",
        "I11",
        Outside(),
        Disconnect(Ingress(LAB, "frontend", "blog.podpath.test"), LAB, "blog", "/whoami"),
        (FailsWith5xx(),),
    ),
    *(
        Probe(f"I12-{name}", "I12", Outside(), via(Gateway, f"{name}.podpath.test"), (by,))
        for name, by in BY.items()
    ),
    *(
        Probe(f"I12-{name}-path", "I12", Outside(), via(Gateway, "www.podpath.test", f"/{name}"), (by,))
        for name, by in BY.items()
    ),
    *(
        Probe(
            f"I12-no-{what}",
            "I12",
            Outside(),
            via(Gateway, *asked),
            (Status(404, backend=False),),
            (f"I12-{CONTROLS[what]}",),
        )
        for what, asked in UNKNOWN.items()
    ),
)
