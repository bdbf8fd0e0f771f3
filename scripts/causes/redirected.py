"""A rule that is not kube-proxy's sends a Service's connections somewhere else, or keeps them out of nat."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.causes.commands import listing, removal
from scripts.causes.scene import Cause, Red, Scene
from scripts.causes.told import KEPT
from scripts.evidence.ruletrace import MetRule, Passage

_UNTRACKED = re.compile(r"--notrack\b|-j NOTRACK\b|\bnotrack\b")
_AIMS = re.compile(r"-j (?:DNAT|REDIRECT)\b|\bdnat to\b|\bredirect\b")


def find(scene: Scene) -> Iterator[Cause]:
    """Each rule that translated a replayed request to a Service, or took it out of connection tracking."""
    met: dict[tuple[str, MetRule, bool], set[str]] = {}
    for red in scene.reds:
        for one in red.tries if red.service else ():
            for passage, rule, untracked in _strange(red, one.passages):
                met.setdefault((passage.node, rule, untracked), set()).add(red.id)
    for (node, rule, untracked), ids in met.items():
        does = "takes connections to Services out of connection tracking, so that nothing translates them"
        yield Cause(
            "untracked" if untracked else "redirected",
            f"a rule of {node} {does if untracked else 'sends what is for a Service to another place'}",
            (f"{rule.where} rule {rule.number or rule.handle} ({rule.text}) met the replay's requests",),
            frozenset(ids),
            node=node,
            look=listing(scene, node, rule),
            mend=removal(scene, node, rule),
        )


def _strange(red: Red, passages: tuple[Passage, ...]) -> Iterator[tuple[Passage, MetRule, bool]]:
    for passage in passages:
        for rule in passage.rules if passage.opens else ():
            kept = rule.chain.startswith(KEPT) or rule.table == "kube-proxy"
            if _UNTRACKED.search(rule.text) and not kept:
                yield passage, rule, True
            elif rule.rewrites and _AIMS.search(rule.text) and not kept and red.failure is not None:
                yield passage, rule, False
