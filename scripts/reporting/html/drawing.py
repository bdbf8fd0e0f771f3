"""From a packet's way to a drawing: boxes, the lines between stations, and what stands beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.ends import ip_of
from scripts.reporting.html import lanes
from scripts.reporting.html.lanes import BREADTH, CENTRE, GUTTER, HEAD, LINE, NODE_LEFT, OUTER, WIDTH, Row
from scripts.reporting.html.path import Lane, Path, Station
from scripts.runs.document import ClusterRecord

Point = tuple[int, int]
WIDE, LINES = 98, 4
"""Characters of a callout's line, and its lines."""
ENDS = (Lane.POD, Lane.NETFILTER, Lane.OUTSIDE, Lane.BALANCER)
"""Lanes in which a packet's way begins, ends or turns where it is drawn."""


@dataclass(frozen=True)
class Box:
    """Something that stands in a lane. ``full`` is what it is called where ``lines`` shorten it."""

    lane: Lane
    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...]
    full: str = ""
    beside: bool = False
    middle: int = 0
    """Where its name stands between the tracks, from its top."""


@dataclass(frozen=True)
class Step:
    """A station in the drawing: its number, where it is, and the line that leads to it."""

    number: int
    station: Station
    x: int
    y: int
    points: tuple[Point, ...]
    tag: str = ""
    tag_x: int = 0
    tag_y: int = 0
    stops: bool = False
    beyond: bool = False
    """The line goes on to what is at the end of the connection."""

    @property
    def line(self) -> str:
        """The points as SVG has them."""
        return " ".join(f"{x},{y}" for x, y in self.points)


@dataclass(frozen=True)
class Callout:
    """Why the packet ended, below its last station at ``x``, ``from_y``."""

    x: int
    from_y: int
    left: int
    top: int
    width: int
    height: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Drawing:
    """A path in the lanes."""

    width: int
    height: int
    rows: tuple[Row, ...]
    boxes: tuple[Box, ...]
    steps: tuple[Step, ...]
    callout: Callout | None
    captured: bool
    expected: bool
    used: frozenset[Lane]


@dataclass(frozen=True)
class _Spot:
    lane: Lane
    row: Row
    x: int
    y: int
    slot: str = ""


def drawing_of(path: Path, cluster: ClusterRecord, title: str = "") -> Drawing:
    """The drawing of a path in ``cluster``; a cluster without nodes gives rows for those on the way."""
    told = tuple(textwrap.wrap(path.stopped, WIDE, max_lines=LINES, placeholder=" …"))
    rows = lanes.rows_of(path, cluster.nodes, len(told) + bool(told))
    pen = _Pen(path, rows, cluster)
    steps = tuple(pen.steps())
    boxes = tuple(pen.boxes())
    return Drawing(
        WIDTH,
        rows[-1].top + rows[-1].height + 6 if rows else lanes.TOP,
        tuple(rows),
        boxes,
        steps,
        pen.callout(steps, told) if told else None,
        path.captured,
        path.expected,
        frozenset({station.lane for station in path.stations} | {box.lane for box in boxes}),
    )


class _Pen:
    """Draws one path."""

    def __init__(self, path: Path, rows: Sequence[Row], cluster: ClusterRecord) -> None:
        self._path, self._cluster = path, cluster
        self._rows = {row.node: row for row in rows}
        standing = [row for row in rows if not row.strip] or [*rows]
        self._first = standing[0] if standing else Row("", "", lanes.TOP, lanes.STRIP, ())
        self._slots = lanes.near_slots(path.stations)
        self._homes = lanes.near_rows(path.stations)
        self._passages = lanes.passages(path.stations)
        self._spots = [self._spot(index) for index in range(len(path.stations))]
        self._anchors: dict[Lane, str] = {}
        self._pods = [pod for pod in cluster.pods if pod.ip]

    def _row(self, node: str) -> Row:
        return self._rows.get(node, self._first)

    def _spot(self, index: int) -> _Spot:
        station, row = self._path.stations[index], self._row(self._homes[index])
        x = CENTRE[station.lane]
        if station.lane is Lane.ROUTER:
            x += -56 if "outside" in station.owner else 56
        elif station.lane is Lane.POD:
            x -= BREADTH[Lane.POD] // 2
        elif station.lane is Lane.NETFILTER:
            x += BREADTH[Lane.NETFILTER] // 2 + 4
        elif station.lane is Lane.OUTSIDE:
            x += BREADTH[Lane.OUTSIDE] // 2
        y = row.track(self._slots[index], station.way, self._passages[index])
        return _Spot(station.lane, row, x, y, self._slots[index])

    def steps(self) -> list[Step]:
        """The stations with the lines that lead to them."""
        found: list[Step] = []
        stations = self._path.stations
        before: _Spot | None = None
        for index, station in enumerate(stations):
            spot = self._spots[index]
            points: list[Point] = []
            begins = index == 0 or (stations[index - 1].way, stations[index - 1].leg) != (
                station.way,
                station.leg,
            )
            if begins and self._path.captured and (start := self._anchor(index, begin=True)):
                inside = before and before.lane is start.lane and before.row is start.row
                points = [(before.x, before.y)] if before and inside and before.y != start.y else []
                points.append((start.x, start.y))
                before = start
            if before:
                points = [*(points or [(before.x, before.y)]), *self._route(before, spot, station)[1:]]
            before, last = spot, index == len(stations) - 1
            ends = last or (stations[index + 1].way, stations[index + 1].leg) != (station.way, station.leg)
            stops = last and bool(self._path.stopped)
            if ends and self._path.captured and not stops and (end := self._anchor(index, begin=False)):
                points += self._route(spot, end, station)[1:]
                before = end
            x, y = self._tag_place(index)
            tag = _tag(station.changed)
            beyond = before is not spot
            found.append(Step(index + 1, station, spot.x, spot.y, tuple(points), tag, x, y, stops, beyond))
        return found

    def _anchor(self, index: int, begin: bool) -> _Spot | None:
        """Where a connection begins or ends beside a station; None where only the station is known."""
        station, spot = self._path.stations[index], self._spots[index]
        inward = station.direction == "in"
        if station.lane is Lane.VETH and inward is begin:
            return _Spot(Lane.POD, spot.row, CENTRE[Lane.POD] - BREADTH[Lane.POD] // 2, spot.y, spot.slot)
        name = self._path.names.get(ip_of(station.source if begin else station.destination), "")
        balanced = name.startswith("load balancer")
        if station.lane is Lane.ROUTER and "outside" in station.owner and inward is begin:
            return self._outer(Lane.OUTSIDE, name, spot)
        if station.lane in (Lane.ROUTER, Lane.UPLINK) and inward is begin:
            if balanced:
                return self._outer(Lane.BALANCER, name, spot)
            return self._outer(Lane.OUTSIDE, name, spot) if station.lane is Lane.UPLINK else None
        return None

    def _outer(self, lane: Lane, name: str, spot: _Spot) -> _Spot:
        self._anchors.setdefault(lane, name)
        side = BREADTH[lane] // 2 if lane is Lane.OUTSIDE else 0
        return _Spot(lane, spot.row, CENTRE[lane] + side, spot.y)

    def _route(self, a: _Spot, b: _Spot, station: Station) -> list[Point]:
        """The corners from one spot to another."""
        if a.row is not b.row:
            gutter = GUTTER[station.way]
            return [(a.x, a.y), (gutter, a.y), (gutter, b.y), (b.x, b.y)]
        if a.y == b.y or (a.lane is b.lane and a.lane in ENDS and a.slot == b.slot):
            return [(a.x, a.y), (b.x, b.y)]
        turn = CENTRE[Lane.NETFILTER] + (-22 if station.way == "request" else 22)
        if station.bridge and {a.lane, b.lane} <= {Lane.VETH, Lane.POD}:
            turn = CENTRE[Lane.BRIDGE] + (-26 if station.way == "request" else 26)
        return [(a.x, a.y), (turn, a.y), (turn, b.y), (b.x, b.y)]

    def _tag_place(self, index: int) -> Point:
        """Where a rewriting stands: in the node's netfilter, or in the middle of the router."""
        station, spot = self._path.stations[index], self._spots[index]
        if station.lane is Lane.ROUTER:
            return CENTRE[Lane.ROUTER], spot.y
        if "new connection" in station.changed:
            return CENTRE[Lane.BALANCER], spot.y
        return CENTRE[Lane.NETFILTER] - (4 if station.lane is Lane.NETFILTER else 0), spot.y

    def boxes(self) -> list[Box]:
        """What stands in the lanes."""
        found = self._outer_boxes()
        for row in self._rows.values():
            if not row.strip and row.node:
                found += self._node_boxes(row, [s for s in self._path.stations if s.node == row.node])
        return found

    def _outer_boxes(self) -> list[Box]:
        names: dict[Lane, str] = {**self._anchors}
        for station in self._path.stations:
            if station.lane in OUTER:
                names.setdefault(station.lane, station.name)
        world, rows = self._cluster.outside, [*self._rows.values()] or [self._first]
        top, bottom = rows[0].top, rows[-1].top + rows[-1].height
        found = []
        for lane, name in names.items():
            lines = [name]
            if lane is Lane.ROUTER:
                lines = ["router", str(world.get("gateway") or "")]
            elif lane is Lane.BALANCER:
                lines = ["load balancer", name.rpartition("/")[2] if "/" in name else ""]
            elif lane is Lane.OUTSIDE:
                lines = _host(name, world)
            x = CENTRE[lane] - BREADTH[lane] // 2
            full = name if name else lines[0]
            found.append(_box(lane, x, top, bottom - top, tuple(filter(None, lines)), full))
        return found

    def _node_boxes(self, row: Row, stations: Sequence[Station]) -> list[Box]:
        found = []
        whole = (row.top + HEAD, row.inner)
        by_lane = {lane: [s for s in stations if s.lane is lane] for lane in Lane}
        for lane in (Lane.UPLINK, Lane.TUNNEL, Lane.BRIDGE):
            names = dict.fromkeys(s.name for s in by_lane[lane])
            if lane is Lane.BRIDGE:
                names |= dict.fromkeys(s.bridge for s in by_lane[Lane.VETH] if s.bridge)
            if names:
                text = ", ".join(names)
                found.append(_box(lane, _left(lane), *whole, tuple(names), text, middle=row.middle))
        bridged = all(s.bridge for s in by_lane[Lane.VETH])
        if by_lane[Lane.UPLINK] or by_lane[Lane.NETFILTER] or not bridged or any(s.changed for s in stations):
            netfilter = _box(Lane.NETFILTER, _left(Lane.NETFILTER), *whole, ("netfilter",), middle=row.middle)
            found.append(netfilter)
        for slot in row.slots:
            top = row.slot_top(slot)
            veths = dict.fromkeys(s.name for s in by_lane[Lane.VETH] if s.owner == slot)
            for name in [*veths][:1]:
                veth = _box(Lane.VETH, _left(Lane.VETH), top, row.slot - 6, (name,), name, middle=row.middle)
                found.append(veth)
            found.append(self._pod_box(slot, row, top))
        return found

    def _pod_box(self, owner: str, row: Row, top: int) -> Box:
        """A Pod's box; its name, address and containers, as far as the run's document has them."""
        name = owner.removeprefix("Pod ").partition("/")[0]
        same = [pod for pod in self._pods if pod.name == name and pod.node == row.node]
        lines = [name or "a process of the node"]
        lines += [same[0].ip, " · ".join(same[0].containers)] if same else []
        told = [one.told for one in self._path.beside if (one.node, one.name) == (row.node, owner)]
        lines = [*lines[:2], *told] if told else lines
        return _box(Lane.POD, _left(Lane.POD), top, row.slot - 6, tuple(lines), owner, beside=bool(told))

    def callout(self, steps: Sequence[Step], told: Sequence[str]) -> Callout | None:
        """What stands where the packet ended."""
        if not steps:
            return None
        last = steps[-1]
        row = self._spots[-1].row
        height = (len(told) + 1) * LINE + 8
        left = NODE_LEFT + 8 if last.x > NODE_LEFT else 8
        top = row.top + row.height - height - 4
        return Callout(last.x, last.y, left, top, WIDTH - 8 - left, height, tuple(told))


def _tag(changed: Sequence[str]) -> str:
    """What was rewritten, in few letters."""
    reverse = bool(changed) and all(change.startswith("reverse ") for change in changed)
    names = " + ".join(change.removeprefix("reverse ") if reverse else change for change in changed)
    return f"reverse {names}" if reverse else names


def _host(name: str, world: dict[str, object]) -> list[str]:
    """The lines of a host outside."""
    known = {"beyond": "outside", "beside": "near"}
    for word, key in known.items():
        if word in name and world.get(key):
            return [str(world[key]), str(world.get(f"{key}_ip") or "")]
    ips = [str(world.get(f"{key}_ip") or "") for key in known.values() if world.get(key) == name]
    return [name or "a host outside", *ips]


def _left(lane: Lane) -> int:
    return CENTRE[lane] - BREADTH[lane] // 2


def _box(
    lane: Lane,
    x: int,
    y: int,
    height: int,
    lines: Sequence[str],
    full: str = "",
    beside: bool = False,
    middle: int = 0,
) -> Box:
    fits = int((BREADTH[lane] - (22 if lane is Lane.POD else 0)) / 7)
    short = tuple(fitted(line, fits) for line in lines)
    return Box(lane, x, y, BREADTH[lane], height, short, full, beside, middle)


def fitted(text: str, most: int) -> str:
    """A name shortened in the middle, where names differ least."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"
