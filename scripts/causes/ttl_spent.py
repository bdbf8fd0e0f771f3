"""Packets end because their time to live is spent: a loop of routes, or a rule that sets it too low."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import listing, of_cluster, removal
from scripts.causes.scene import Cause, Red, Scene, agent
from scripts.evidence.ruletrace import MetRule

COUNTER = "InHdrErrors"
"""Counts, among others, packets that are to be forwarded with a time to live of 1 (RFC 4293)."""


def find(scene: Scene) -> Iterator[Cause]:
    """Each node that counted such packets during the replay, with the rule that set the value if one did."""
    for node, before, after in scene.nodes():
        grown = after.grown(before, COUNTER)
        ended = scene.ids(red for red in scene.reds if _ends_at(red, node))
        if not grown or not ended:
            continue
        setter = next((found for red in scene.reds for found in _sets(red)), None)
        set_by = f"; {setter[1].where} ({setter[1].text}) of {setter[0]} sets it" if setter else ""
        where, rule = setter or (node, None)
        yield Cause(
            "ttl_spent",
            f"{node} drops packets whose time to live is spent",
            (f"Ip{COUNTER} grew by {grown} in the replay{set_by}",),
            ended,
            node=where,
            look=listing(scene, where, rule)
            if rule
            else agent(scene, node, "ip", "route", "show", "table", "all"),
            mend=removal(scene, where, rule) if rule else of_cluster(scene),
        )


def _ends_at(red: Red, node: str) -> bool:
    ends = (one.last("reply") or one.last("request") for one in red.failing if not any(one.ends))
    return any(hop and hop.node == node and hop.direction == "in" for hop in ends)


def _sets(red: Red) -> Iterator[tuple[str, MetRule]]:
    for one in red.failing:
        for passage in one.passages:
            for rule in passage.rules:
                if "-j TTL" in rule.text or "ip ttl set" in rule.text:
                    yield passage.node, rule
