"""A rule gives packets between Pods another source address, although nothing asks for it."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import listing, removal
from scripts.causes.scene import Cause, Red, Scene
from scripts.checks.verdict import Failure
from scripts.evidence.ruletrace import MetRule

SEEN = (Failure.WRONG_SOURCE, Failure.NAT_FOUND, Failure.WRONG_PATH)


def find(scene: Scene) -> Iterator[Cause]:
    """Each rule that rewrote the source of a replayed packet on its way from one Pod to another."""
    met: dict[tuple[str, MetRule], set[str]] = {}
    for red in scene.reds:
        if red.failure in SEEN and red.target and red.target.pod and red.node:
            for node, rule in _rewriting(red):
                met.setdefault((node, rule), set()).add(red.id)
    for (node, rule), ids in met.items():
        yield Cause(
            "needless_nat",
            f"{node} replaces the source of packets between Pods",
            (f"{rule.where} rule {rule.number} ({rule.text}) rewrote packets of the replay",),
            frozenset(ids),
            node=node,
            look=listing(scene, node, rule),
            mend=removal(scene, node, rule),
        )


def _rewriting(red: Red) -> Iterator[tuple[str, MetRule]]:
    for one in red.tries:
        for passage in one.passages:
            rules = [rule for rule in passage.rules if rule.rewrites]
            if passage.table == "nat" and passage.opens and rules and "-j DNAT" not in rules[-1].text:
                yield passage.node, rules[-1]
