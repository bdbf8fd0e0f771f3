"""The drawing's fixed lanes and its rows, in units of its own coordinates (about a pixel at full width).

Lanes are where they are in every drawing, so that the drawings of two runs lie over each other. A row is a
node; it has a slot for each Pod on the way, and a track for the request and one for the answer in each slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from scripts.reporting.html.path import Lane, Path, Station, Way
from scripts.runs.document import NodeRecord

WIDTH = 1140
CENTRE = {
    Lane.OUTSIDE: 60,
    Lane.ROUTER: 194,
    Lane.BALANCER: 326,
    Lane.UPLINK: 448,
    Lane.TUNNEL: 526,
    Lane.NETFILTER: 632,
    Lane.BRIDGE: 744,
    Lane.VETH: 834,
    Lane.POD: 1010,
}
BREADTH = {
    Lane.OUTSIDE: 116,
    Lane.ROUTER: 136,
    Lane.BALANCER: 108,
    Lane.UPLINK: 70,
    Lane.TUNNEL: 70,
    Lane.NETFILTER: 130,
    Lane.BRIDGE: 70,
    Lane.VETH: 94,
    Lane.POD: 236,
}
NODE_LEFT = 406
GUTTER: dict[Way, int] = {"request": 387, "reply": 397}
"""Where packets change from row to row: between the load balancer's lane and the nodes."""
TOP = 40
HEAD, FOOT, GAP, STRIP = 22, 6, 8, 22
SLOT, TALL = 70, 106
"""Heights of a slot: a tall one has two tracks each way, for packets that turn round on the node."""
TRACKS: dict[Way, tuple[int, int]] = {"request": (16, 36), "reply": (50, 50)}
TALL_TRACKS: dict[Way, tuple[int, int]] = {"request": (16, 38), "reply": (68, 90)}
LINE = 17
"""Height of a line of a callout."""
OUTER = (Lane.OUTSIDE, Lane.ROUTER, Lane.BALANCER)


@dataclass(frozen=True)
class Row:
    """A node's row; ``slots`` are the Pods on the way. One that is not on the way is a strip without slots.

    ``tall``: packets pass through its slots twice in one direction.
    """

    node: str
    ip: str
    top: int
    height: int
    slots: tuple[str, ...]
    strip: bool = False
    tall: bool = False

    @property
    def slot(self) -> int:
        """The height of one slot."""
        return TALL if self.tall else SLOT

    def track(self, slot: str, way: Way, passage: int) -> int:
        """The height of a slot's track for the first or second (0, 1) passage."""
        return self.slot_top(slot) + (TALL_TRACKS if self.tall else TRACKS)[way][passage]

    def slot_top(self, slot: str) -> int:
        """Where a slot begins."""
        return self.top + HEAD + (self.slots.index(slot) if slot in self.slots else 0) * self.slot

    @property
    def middle(self) -> int:
        """Between the tracks of the request and of the answer, from the top of a slot."""
        tracks = TALL_TRACKS if self.tall else TRACKS
        return (tracks["request"][self.tall] + tracks["reply"][0]) // 2

    @property
    def inner(self) -> int:
        """The height of its slots."""
        return max(1, len(self.slots)) * self.slot - 6


def slot_of(station: Station) -> str:
    """The Pod whose slot a station needs; empty for one that lies in front of any slot."""
    return station.owner if station.lane in (Lane.VETH, Lane.POD) else ""


def rows_of(path: Path, nodes: Sequence[NodeRecord], callout: int, most: int = 4) -> list[Row]:
    """The rows of all nodes on the way, in the cluster's order, and strips for the others.

    More than ``most`` others share one strip. ``callout`` is the number of lines that the last station's row
    needs below its slots.
    """
    stations = [station for station in path.stations if station.node]
    slots: dict[str, list[str]] = {station.node: [] for station in stations}
    for node, slot in [
        *((one.node, slot_of(one)) for one in stations),
        *((one.node, one.name) for one in path.beside),
    ]:
        if slot and slot not in slots.setdefault(node, []):
            slots[node].append(slot)
    tall = {stations[n].node for n, passage in enumerate(passages(stations)) if passage}
    ips = {node.name: node.ip for node in nodes}
    order = [*ips, *(name for name in slots if name not in ips)]
    ends = [station.node for station in reversed(stations)] + [name for name in order if name in slots]
    last = ends[0] if ends else ""
    idle = [name for name in order if name not in slots]
    folded = len(idle) > most
    rows, top = [], TOP
    for name in order:
        if name in slots:
            height = HEAD + max(1, len(slots[name])) * (TALL if name in tall else SLOT) + FOOT
            height += callout * LINE + 14 if name == last and callout else 0
            rows.append(Row(name, ips.get(name, ""), top, height, tuple(slots[name]), tall=name in tall))
        elif not folded:
            rows.append(Row(name, ips[name], top, STRIP, (), strip=True))
        else:
            continue
        top += rows[-1].height + GAP
    if folded:
        rows.append(Row(f"{len(idle)} more nodes", "", top, STRIP, (), strip=True))
    if not slots and callout:
        rows.append(Row("", "", top, callout * LINE + 60, (), strip=False))
    return rows


def passages(stations: Sequence[Station]) -> list[int]:
    """For each station 0, or 1 if the packet passes its node's lanes for the second time on its way."""
    been: Counter[tuple[str, str, str]] = Counter()
    found: list[int] = []
    slots = near_slots(stations)
    for (node, way, _), numbers in groupby(
        range(len(stations)), key=lambda n: (stations[n].node, stations[n].way, stations[n].leg)
    ):
        visit = [*numbers]
        first, last = stations[visit[0]], stations[visit[-1]]
        again = bool(node) and been[node, way, slots[visit[0]]] > 0
        been[node, way, slots[visit[0]]] += 1
        back = bool(node) and first.lane is last.lane and slots[visit[0]] == slots[visit[-1]]
        back = back and len(visit) > 1 and first.direction != "out" and last.direction != "in"
        turned = {number for number in visit if stations[number].direction == "out"} or {visit[-1]}
        found += [int(again or (back and number in turned)) for number in visit]
    return found


def near_slots(stations: Sequence[Station]) -> list[str]:
    """The slot of each station: its own, or that of the nearest one in the same visit of a node."""
    found = [slot_of(station) for station in stations]
    for index, station in enumerate(stations):
        if found[index] or not station.node:
            continue
        for other in _nearest(index, len(stations)):
            same = stations[other].node == station.node and stations[other].way == station.way
            if same and slot_of(stations[other]) and _contiguous(stations, index, other):
                found[index] = slot_of(stations[other])
                break
    return found


def near_rows(stations: Sequence[Station]) -> list[str]:
    """The node in whose row each station is drawn: its own, or the next one's, or the last one's before."""
    found = []
    for index, station in enumerate(stations):
        later = (s.node for s in stations[index:] if s.node and s.way == station.way)
        earlier = (s.node for s in reversed(stations[:index]) if s.node)
        found.append(station.node or next(later, "") or next(earlier, ""))
    return found


def _nearest(index: int, count: int) -> Iterable[int]:
    for distance in range(1, count):
        yield from (at for at in (index - distance, index + distance) if 0 <= at < count)


def _contiguous(stations: Sequence[Station], one: int, other: int) -> bool:
    begin, end = sorted((one, other))
    return all(
        (s.node, s.way, s.leg) == (stations[one].node, stations[one].way, stations[one].leg)
        for s in stations[begin : end + 1]
    )
