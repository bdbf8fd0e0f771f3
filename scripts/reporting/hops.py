"""A trace as a tree: ways, their nodes, the interfaces there with the addresses carried, the rules met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from scripts.runs.document import HopRecord, TraceRecord
from scripts.runs.metrules import condensed, met, plain

HEADINGS = {"request": "request", "reply": "answer"}
BRANCH, LAST, TRUNK, NOTHING = "├─ ", "└─ ", "│  ", "   "


def drawn(trace: TraceRecord, title: str, width: int = 0, verbose: bool = False) -> str:
    """The trace in plain lines: the owners of the addresses, then each way as a tree.

    Times are in µs since the first hop. Where a line would be wider than ``width`` columns (0: as wide as it
    likes), all addresses stand below their interfaces. ``verbose``: every rule that was met is told, not only
    those that decided.
    """
    wide = max(map(len, trace.met), default=0)
    lines = [title, *(f"  {address:<{wide}}  {name}" for address, name in trace.met.items())]
    if not trace.hops:
        return f"{title}\n  nothing of it was seen on any node"
    ways = {way: [hop for hop in trace.hops if hop.way == way] for way in HEADINGS}
    trees = {way: [*_tree(hops, verbose, below=False)] for way, hops in ways.items()}
    if width and any(len(line) > width for tree in trees.values() for line in tree):
        trees = {way: [*_tree(hops, verbose, below=True)] for way, hops in ways.items()}
    for way, tree in trees.items():
        if tree:
            lines += ["", HEADINGS[way], *tree]
    if trace.retransmissions:
        lines += ["", f"{trace.retransmissions} packets were sent again"]
    return "\n".join(lines)


def _tree(hops: Sequence[HopRecord], verbose: bool, below: bool) -> Iterator[str]:
    """One way's hops; a node's name precedes its hops, their addresses stand beside or ``below`` them."""
    interfaces = max((len(_interface(hop)) for hop in hops), default=0)
    ends = max((len(_ends(hop)) for hop in hops), default=0)
    nodes = [(node, [*group]) for node, group in groupby(hops, lambda hop: hop.node)]
    for (node, group), (branch, trunk) in zip(nodes, _branches(len(nodes)), strict=True):
        yield f"{branch}{node}"
        for hop, (twig, stem) in zip(group, _branches(len(group)), strict=True):
            where = f"{hop.micros:>6} µs  {hop.direction:<3}  {_interface(hop):<{interfaces}}"
            changed = ", ".join(hop.changed)
            if below:
                yield f"{trunk}{twig}{where}".rstrip()
                yield f"{trunk}{stem}{' ' * 16}{_ends(hop)}  {changed}".rstrip()
            else:
                yield f"{trunk}{twig}{where}  {_ends(hop):<{ends}}  {changed}".rstrip()
            yield from (f"{trunk}{stem}{' ' * 16}{rule}" for rule in _rules(hop, verbose))


def _branches(count: int) -> list[tuple[str, str]]:
    """What stands before each of ``count`` entries, and before what hangs below it."""
    return [(BRANCH, TRUNK)] * (count - 1) + [(LAST, NOTHING)] * min(count, 1)


def _interface(hop: HopRecord) -> str:
    return f"{hop.interface} ({hop.label})" if hop.label else hop.interface


def _ends(hop: HopRecord) -> str:
    return f"{hop.source} → {hop.destination}"


def _rules(hop: HopRecord, verbose: bool) -> Iterator[str]:
    """What the rules decided that were met before a hop, and how many were met in all; or all of them."""
    if verbose:
        yield from map(met, hop.rules)
        return
    lines = condensed(hop.rules) or ([plain(hop.rule)] if hop.rule else [])
    yield from lines
    if len(hop.rules) > len(lines):
        yield f"({len(hop.rules)} rules were met; -v shows each)"
