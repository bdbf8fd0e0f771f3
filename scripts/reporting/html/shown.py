"""The way of a probe's packet as its run knows it: captured, or else as the receipt's views saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scripts.reporting.html.beside import beside
from scripts.reporting.html.path import Path, captured_path
from scripts.reporting.html.seen import Seen, place_of, seen_of
from scripts.reporting.html.viewed import viewed_path
from scripts.runs.document import CauseRecord, ClusterRecord, ProbeRecord


def shown_path(
    probe: ProbeRecord, cluster: ClusterRecord, cause: CauseRecord | None, seen: Seen | None = None
) -> Path:
    """The way, with what stands beside it; ``cause`` explains why it ends early.

    ``seen`` is ``seen_of`` the probe, if that is known already.
    """
    told = ": ".join([cause.what, *cause.evidence[:1]]) if cause else ""
    path = captured_path(probe, [node.name for node in cluster.nodes], told)
    path = path or viewed_path(probe, seen or seen_of(probe), cluster, told)
    return replace(path, beside=beside(probe, path, cluster))


def nodes_met(
    probe: ProbeRecord, path: Path, cluster: ClusterRecord, cause: CauseRecord | None
) -> tuple[str, ...]:
    """The nodes that a probe has to do with: on the way, where it began, and where its cause is."""
    place = place_of(probe.receipt.api.get("source", ""))
    met = (*path.nodes, place.node, cause.node if cause else "")
    known = {node.name for node in cluster.nodes}
    return tuple(dict.fromkeys(node for node in met if node in known))


def told_first(causes: Sequence[CauseRecord]) -> list[CauseRecord]:
    """The causes in a page's order: warnings come last."""
    return sorted(causes, key=lambda cause: cause.warning)


def causes_by_probe(causes: Sequence[CauseRecord]) -> dict[str, tuple[int, CauseRecord]]:
    """For each probe that is explained, the first cause that explains it and its number in ``told_first``."""
    numbered = [*enumerate(told_first(causes), 1)]
    return {id: (n, cause) for n, cause in reversed(numbered) for id in cause.explains if not cause.warning}
