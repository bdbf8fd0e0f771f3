"""A probe's way as a picture that stands alone."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from scripts.reporting.html.picture import STYLE, picture_of_probe, picture_of_trace
from scripts.reporting.html.shell import TEMPLATES
from scripts.reporting.html.shown import shown_path
from scripts.runs.document import ProbeRecord, Run
from tests.browser.runs import GREEN, HOSTILE, hostile
from tests.worlds.world import recorded

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = ["P4-frontend-rest", "E4-path", "I3-trace", "S6-1-80", "E5-outside"]


def probe_of(id: str, run: Run) -> ProbeRecord:
    return next(probe for probe in run.probes if probe.id == id)


def drawn(id: str, run: Run | None = None) -> ElementTree.Element:
    run = run or recorded(GREEN)
    return ElementTree.fromstring(picture_of_probe(probe_of(id, run), run.cluster))


def below(svg: ElementTree.Element) -> list[str]:
    """The lines below the drawing."""
    told = [one for one in svg.iter(f"{SVG}text") if "told" in one.get("class", "").split()]
    return ["".join(one.itertext()) for one in told]


@pytest.mark.parametrize("id", DRAWN)
def test_a_picture_has_a_name_a_description_and_a_hop_in_each_line(id: str) -> None:
    run = recorded(GREEN)
    path = shown_path(probe_of(id, run), run.cluster, None)
    svg = drawn(id)
    assert svg.get("role") == "img"
    title, described = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None and described is not None
    assert (title.get("id"), described.get("id")) == (svg.get("aria-labelledby"), svg.get("aria-describedby"))
    assert title.text == f"{probe_of(id, run).claim}: {probe_of(id, run).sentence}"
    numbered = [line for line in below(svg) if line[0].isdigit()]
    assert len(numbered) == len(path.stations)
    for line, station in zip(numbered, path.stations, strict=True):
        assert f"{station.source} → {station.destination}" in line
        assert f"{station.source} to {station.destination}" in (described.text or "")
    assert [line for line in below(svg) if line in path.notes] == [*path.notes]


@pytest.mark.parametrize("id", DRAWN)
def test_a_picture_needs_nothing_else(id: str) -> None:
    run = recorded(GREEN)
    text = picture_of_probe(probe_of(id, run), run.cluster)
    assert len(text.encode()) < 30_000
    assert not re.search(r"href=|url\((?!#)|@import|<script|<image|light-dark", text)
    names = {*re.findall(r"var\((--\w+)\)", text)}
    light, dark = (
        re.search(r"^:root \{(.*?)^\}", text, re.S | re.M),
        re.search(r"@media(.*?)\} \}", text, re.S),
    )
    assert light and dark and len(names) > 5
    colours = names - {"--mono"}
    assert names <= {*re.findall(r"(--\w+):", light[1])} and colours <= {*re.findall(r"(--\w+):", dark[1])}


def test_the_styles_of_the_page_and_of_the_picture_are_one() -> None:
    run = recorded(GREEN)
    text = picture_of_probe(probe_of("E4-path", run), run.cluster)
    assert all((TEMPLATES / name).read_text().strip() in text for name in STYLE)


def test_only_the_lanes_that_are_used_are_drawn() -> None:
    inside, outside = (drawn(id).get("viewBox", "").split() for id in ("P4-frontend-rest", "I3-trace"))
    assert (outside[0], outside[2]) == ("0", "1140")
    assert int(inside[0]) > 300 and int(inside[0]) + int(inside[2]) == 1140
    left, right = int(inside[0]), int(inside[0]) + int(inside[2])
    for id in ("P4-frontend-rest", "P5-database-rest"):
        points = [one.get("points", "").split() for one in drawn(id).iter(f"{SVG}polyline")]
        xs = [int(point.partition(",")[0]) for line in points for point in line]
        assert xs and left <= min(xs) and max(xs) <= right, f"{id}: a line is cut off"


def test_what_was_rewritten_stands_out() -> None:
    svg = drawn("E4-path")
    new = [one.text for one in svg.iter(f"{SVG}tspan") if one.get("class") == "new"]
    run = recorded(GREEN)
    stations = shown_path(probe_of("E4-path", run), run.cluster, None).stations
    assert new == [
        at.source if way in ("SNAT", "reverse DNAT") else at.destination
        for at in stations
        for way in at.changed
    ]


def test_a_probe_that_sends_nothing_has_no_picture() -> None:
    run = recorded(GREEN)
    assert picture_of_probe(probe_of("C1", run), run.cluster) == ""


def test_a_trace_is_drawn_as_a_captured_probe_is() -> None:
    run = recorded(GREEN)
    probe = probe_of("E4-path", run)
    trace = probe.receipt.trace
    assert trace is not None
    title = f"{probe.claim}: {probe.sentence}"
    assert picture_of_trace(trace, run.cluster, title) == picture_of_probe(probe, run.cluster)
    assert picture_of_trace(trace.model_copy(update={"hops": []}), run.cluster, title) == ""


def test_hostile_text_stays_text() -> None:
    run = hostile(recorded(GREEN))
    id = next(probe.id for probe in run.probes if probe.id.startswith("E4-path"))
    svg = drawn(id, run)
    assert {one.tag for one in svg.iter()} <= {one.tag for one in drawn("E4-path").iter()}
    title = svg.find(f"{SVG}title")
    assert title is not None and HOSTILE.partition("\x1b")[0] in (title.text or "")
