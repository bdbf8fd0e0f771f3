"""A packet's way as a picture that stands alone: an SVG file with a style for light and for dark pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.reporting.html.drawing import drawing_of, fitted
from scripts.reporting.html.lanes import GUTTER, OUTER, WIDTH
from scripts.reporting.html.path import Lane, Path, Station, Way, path_of
from scripts.reporting.html.printable import printable, visible
from scripts.reporting.html.shell import TEMPLATES, safe, template
from scripts.reporting.html.shown import shown_path
from scripts.runs.document import ClusterRecord, ProbeRecord, TraceRecord

STYLE = ("drawing.css", "picture.css")
MARGIN, LINE = 8, 17
WIDE = 34
"""Characters of a hop's place."""
COLUMN = 570
"""Where the answer's hops begin beside those of the request, if there is room for both."""
HEADINGS: dict[Way, str] = {"request": "There", "reply": "Back"}
_BOTH = re.compile(r"light-dark\(([^,]+), ([^)]+)\)")


@dataclass(frozen=True)
class Told:
    """A line below the drawing: a hop with what it carried; a heading or a note has no station."""

    x: int
    y: int
    where: str
    station: Station | None = None
    number: int = 0
    heading: bool = False

    @property
    def new_source(self) -> bool:
        """Whether the packet got another source here."""
        return self.station is not None and bool({"SNAT", "reverse DNAT"} & {*self.station.changed})

    @property
    def new_destination(self) -> bool:
        """Whether it got another destination."""
        return self.station is not None and bool({"DNAT", "reverse SNAT"} & {*self.station.changed})


def picture_of_probe(probe: ProbeRecord, cluster: ClusterRecord) -> str:
    """The SVG file of a probe's way; empty if the probe sent nothing that could be drawn."""
    probe, cluster = printable(probe), printable(cluster.by(probe.family))
    path = shown_path(probe, cluster, None)
    return _picture(path, cluster, f"{probe.claim}: {probe.sentence}") if path.stations else ""


def picture_of_trace(trace: TraceRecord, cluster: ClusterRecord, title: str) -> str:
    """The SVG file of the way of a request that was followed; empty if no hop of it was seen."""
    trace, cluster = printable(trace), printable(cluster)
    path = path_of(trace, [node.name for node in cluster.nodes])
    return _picture(path, cluster, visible(title)) if path.stations else ""


def _picture(path: Path, cluster: ClusterRecord, title: str) -> str:
    drawing = drawing_of(path, cluster)
    left = 0 if drawing.used & {*OUTER} else GUTTER["request"] - MARGIN
    told = [*_told(path, left, drawing.height + 2 * MARGIN)]
    foot = max(line.y for line in told) + MARGIN
    told += [Told(left, foot + n * LINE, note) for n, note in enumerate(path.notes, 1)]
    return template("picture.svg").render(
        drawing=drawing,
        marks={},
        left=left,
        width=WIDTH - left,
        height=max(line.y for line in told) + MARGIN,
        title=title,
        described=" ".join(f"{way}: {_described(path, way)}." for way in HEADINGS if _numbered(path, way)),
        told=told,
        style=safe(_style()),
    )


def _told(path: Path, left: int, top: int) -> Iterator[Told]:
    """The hops both ways: side by side on a wide picture, else one below the other."""
    x, y = left, top
    for way, heading in HEADINGS.items():
        if not (numbered := _numbered(path, way)):
            continue
        yield Told(x, y + LINE, heading, heading=True)
        for line, (number, station) in enumerate(numbered, 2):
            yield Told(x, y + line * LINE, fitted(_where(station), WIDE), station, number)
        x, y = (COLUMN, top) if not left else (x, y + (len(numbered) + 1) * LINE + MARGIN)


def _numbered(path: Path, way: Way) -> list[tuple[int, Station]]:
    return [(number, one) for number, one in enumerate(path.stations, 1) if one.way == way]


def _where(station: Station) -> str:
    if station.lane is Lane.POD:
        return station.name
    name = station.name.removeprefix("of ")
    return " ".join(filter(None, (station.node or station.lane.value, name, station.direction)))


def _described(path: Path, way: Way) -> str:
    """The way in words, for those who do not see the picture."""
    return "; ".join(
        ", ".join((f"{_where(one)} {one.source} to {one.destination}", *one.changed))
        for _, one in _numbered(path, way)
    )


def _style() -> str:
    """The page's style of drawings, with its colours for a light and for a dark page."""
    theme = (TEMPLATES / "theme.css").read_text()
    names = theme[theme.index("{") + 1 : theme.index("}")].replace("  color-scheme: light dark;\n", "")
    light, dark = (_BOTH.sub(rf"\{side}", names) for side in (1, 2))
    colours = "\n".join(line for line in dark.split("\n") if line not in names.split("\n"))
    rest = "\n".join((TEMPLATES / name).read_text().rstrip() for name in STYLE)
    return f":root {{{light}}}\n@media (prefers-color-scheme: dark) {{ :root {{\n{colours}\n}} }}\n{rest}"
