"""What the lab claims: routes by host and path, as Ingress and as Gateway, and what stands behind them."""

from __future__ import annotations

from scripts.checks.answers import AnsweredBy, Status
from scripts.checks.base import Probe
from scripts.checks.destinations import Gateway, Ingress
from scripts.checks.disconnect import Disconnect
from scripts.checks.peers import Outside
from scripts.checks.plain import Plain
from scripts.checks.request import Expectation, Get
from scripts.checks.sources import ForwardedFor

LAB = "ingress-l7"
BY = {name: AnsweredBy(LAB, name, "nginx") for name in ("shop", "blog")}
UNKNOWN = {"host": ("unknown.podpath.test", "/"), "path": ("www.podpath.test", "/unknown")}
CONTROLS = {"host": "shop", "path": "shop-path"}


def via(kind: type[Ingress] | type[Gateway], host: str, path: str, *expect: Expectation) -> Get:
    """A request under a host name to the Ingress, or to the Gateway with the same routes."""
    return Get(kind(LAB, "frontend", host), expect, path)


PROBES: tuple[Probe, ...] = (
    *(
        Probe(f"I7-{name}", "I7", Outside(), via(Ingress, f"{name}.podpath.test", "/", by))
        for name, by in BY.items()
    ),
    *(
        Probe(f"I8-{name}", "I8", Outside(), via(Ingress, "www.podpath.test", f"/{name}", by))
        for name, by in BY.items()
    ),
    *(
        Probe(
            f"I9-{what}",
            "I9",
            Outside(),
            via(Ingress, *asked, Status(404, backend=False)),
            ("I7-shop" if what == "host" else "I8-shop",),
        )
        for what, asked in UNKNOWN.items()
    ),
    Probe(
        "I10-forwarded", "I10", Outside(), via(Ingress, "shop.podpath.test", "/", BY["shop"], ForwardedFor())
    ),
    Probe(
        "I10-plain",
        "I10",
        Outside(),
        Plain(Ingress(LAB, "frontend", "shop.podpath.test")),
        ("I10-forwarded",),
    ),
    Probe(
        "I11",
        "I11",
        Outside(),
        Disconnect(Ingress(LAB, "frontend", "blog.podpath.test"), LAB, "blog", "/whoami"),
        rests_on=("I7-blog",),
    ),
    *(
        Probe(f"I12-{name}", "I12", Outside(), via(Gateway, f"{name}.podpath.test", "/", by))
        for name, by in BY.items()
    ),
    *(
        Probe(f"I12-{name}-path", "I12", Outside(), via(Gateway, "www.podpath.test", f"/{name}", by))
        for name, by in BY.items()
    ),
    *(
        Probe(
            f"I12-no-{what}",
            "I12",
            Outside(),
            via(Gateway, *asked, Status(404, backend=False)),
            (f"I12-{CONTROLS[what]}",),
        )
        for what, asked in UNKNOWN.items()
    ),
)
