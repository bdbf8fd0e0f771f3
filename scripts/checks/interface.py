"""The two ends of a Pod's veth pair, and the bridge that the node's end is a port of (P2, P3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.paths import others
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive
from scripts.evidence.datapath import classify, node_end
from scripts.evidence.links import Link
from scripts.evidence.view import View
from scripts.tiers import Tier
from scripts.transport.executor import Place


@dataclass(frozen=True)
class Interface(Check):
    """The Pod's own view of its interface eth0, and its node's view of all of its interfaces.

    With ``bridge``, the node's end of the pair must also be a port of the bridge of this name.
    """

    own_tier: ClassVar[Tier] = Tier.KERNEL

    bridge: str = ""

    def __str__(self) -> str:
        return "for its eth0 and the node's interfaces"

    @property
    def expected(self) -> str:
        """A veth pair, or with ``bridge`` a port of it."""
        if self.bridge:
            return f"its veth is a port of the bridge {self.bridge}"
        return "eth0 and a veth of the node name each other"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The Pod's own view; the node's is part of every run's evidence."""
        return Work(
            commands=(Command(place, "interface", ("ip", "-j", "-d", "link", "show", "dev", "eth0")),)
        )

    def judge(self, seen: Observation) -> Finding:
        """By what both ends say of each other."""
        veth = _node_end(seen)
        if isinstance(veth, Finding) or not self.bridge:
            return veth if isinstance(veth, Finding) else PASSED
        place = seen.step.place
        way = classify(place.ip, veth, seen.kernel.nodes[place.node].wiring, others(seen, place.node))
        if way.kind == "bridge" and way.bridge == self.bridge:
            return PASSED
        return failed(Failure.NO_BRIDGE, f"here the path is another: {way.told}")


def _node_end(seen: Observation) -> Link | Finding:
    """The node's end of the source Pod's veth pair, or why there is none."""
    from scripts.evidence.iproute import look

    node = seen.step.place.node
    if problem := seen.kernel.problem([node], "wiring"):
        return inconclusive(Failure.NO_EVIDENCE, f"the node could not be asked: {problem}")
    wiring = seen.kernel.nodes[node].wiring
    try:
        own = look(seen.outputs["interface"].text)
    except ValueError as error:
        return inconclusive(Failure.NO_ANSWER, str(error))
    found = node_end(own, wiring.links, wiring.fdb)
    return found if isinstance(found, Link) else failed(Failure.NO_VETH, found)
