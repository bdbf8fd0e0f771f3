"""Two ways of the same request, station by station: what is only on one of them, and what differs on both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from scripts.reporting.html.path import Lane, Path, Station
from scripts.runs.ways import PROXY


class Mark(StrEnum):
    """How a station differs from the other way."""

    GONE = "gone"
    ADDED = "added"
    ALTERED = "altered"

    @property
    def sign(self) -> str:
        """The sign by which a drawing marks it."""
        return {"gone": "−", "added": "+", "altered": "≠"}[self.value]


@dataclass(frozen=True)
class Pair:
    """A place on one way or on both, with its station's number on each (from 1; 0: not on that way).

    ``told`` says in words what differs; where nothing does, it is empty and ``mark`` None.
    """

    before: int
    after: int
    mark: Mark | None = None
    told: str = ""


def comparable(before: Path, after: Path) -> bool:
    """Whether both ways are known by the same means: captured, or from what the views saw."""
    return bool(before.stations and after.stations) and before.captured is after.captured


def pairs_of(before: Path, after: Path) -> list[Pair]:
    """The stations of two ways in their order; those that play the same part stand together."""
    (old, new), nat = map(_keys, (before.stations, after.stations)), _Rewritings(before, after)
    found = []
    for what, i, i_end, j, j_end in SequenceMatcher(None, [*old], [*new], autojunk=False).get_opcodes():
        if what == "equal":
            both = zip(range(i, i_end), range(j, j_end), strict=True)
            found += [_both(n, m, before.stations[n], after.stations[m], nat) for n, m in both]
            continue
        for n in range(i, i_end):
            missed = _ended(after, j_end)
            told = ["not reached any more"] if missed else ["no longer passed", *nat.gone(before.stations[n])]
            found.append(Pair(n + 1, 0, Mark.GONE, "; ".join(told)))
        for n in range(j, j_end):
            missed = _ended(before, i_end)
            told = ["not reached before"] if missed else ["not passed before", *nat.come(after.stations[n])]
            found.append(Pair(0, n + 1, Mark.ADDED, "; ".join(told)))
    return found


def apart(before: Path, after: Path) -> list[Pair]:
    """The stations of two ways that cannot be compared: first all of the one, then all of the other."""
    return [
        *(Pair(n, 0) for n in range(1, len(before.stations) + 1)),
        *(Pair(0, n) for n in range(1, len(after.stations) + 1)),
    ]


def marks_of(pairs: Sequence[Pair]) -> tuple[Mapping[int, Mark], Mapping[int, Mark]]:
    """The marks of both drawings, by the stations' numbers."""
    return (
        {pair.before: pair.mark for pair in pairs if pair.before and pair.mark},
        {pair.after: pair.mark for pair in pairs if pair.after and pair.mark},
    )


def _keys(stations: Sequence[Station]) -> list[tuple[object, ...]]:
    """For each station the part that it plays, whatever its addresses, its node and its Pod are called."""
    parts = {node: n for n, node in enumerate(dict.fromkeys(one.node for one in stations if one.node))}
    return [(one.way, one.leg, one.lane, parts.get(one.node), one.direction, *_name(one)) for one in stations]


def _name(station: Station) -> Iterator[str]:
    """What tells a station from others in its lane, if it is no matter of chance."""
    if station.lane in (Lane.BRIDGE, Lane.TUNNEL):
        yield station.name
    elif station.lane is Lane.ROUTER:
        yield station.owner


def _both(n: int, m: int, old: Station, new: Station, nat: _Rewritings) -> Pair:
    told = [*nat.gone(old), *nat.come(new)]
    if old.bridge is not None and new.bridge is not None and old.bridge != new.bridge:
        told.append(f"{_port(old.bridge)} → {_port(new.bridge)}")
    return Pair(n + 1, m + 1, Mark.ALTERED if told else None, "; ".join(told))


def _ended(path: Path, at: int) -> bool:
    """Whether a way that has no more stations at ``at`` was stopped there."""
    return bool(path.stopped) and at >= len(path.stations)


def _port(bridge: str) -> str:
    return f"a port of {bridge}" if bridge else "a port of no bridge"


class _Rewritings:
    """Tells of rewritings that only one of two ways has, wherever on it they were seen."""

    def __init__(self, before: Path, after: Path) -> None:
        was, now = (
            Counter((one.way, name) for one in path.stations for name in one.changed)
            for path in (before, after)
        )
        self._gone, self._come = was - now, now - was

    def gone(self, station: Station) -> list[str]:
        """Those at a station before that the way after has not."""
        return [
            f"{_kind(name)} gone: {name}" for name in station.changed if (station.way, name) in self._gone
        ]

    def come(self, station: Station) -> list[str]:
        """Those at a station after that the way before had not."""
        names = (name for name in station.changed if (station.way, name) in self._come)
        return [f"{_kind(name)} appeared: {name}" for name in names]


def _kind(name: str) -> str:
    return "proxy" if name == PROXY else "NAT"
