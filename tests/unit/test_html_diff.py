"""The page of `scripts/diff --html`: which stations are compared, and how what differs is marked."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path as File

import pytest

from scripts.cli import diff as command
from scripts.cli.diff import diff
from scripts.errors import EXIT_FAILED, UsageError
from scripts.reporting.html.diff import render_diff
from scripts.reporting.html.pairs import Mark, apart, comparable, marks_of, pairs_of
from scripts.reporting.html.path import Path, Station
from scripts.reporting.html.shown import shown_path
from scripts.runs.compare import compare
from scripts.runs.document import Run
from tests.browser.runs import BROKEN, GREEN, LOST, ROUTED, explained, hostile
from tests.unit.test_html import probe_of
from tests.worlds.world import recorded

P5, NODEPORT = "P5-database-rest", "I4-nodeport"


def way(id: str, name: str = GREEN) -> Path:
    return shown_path(probe_of(id, name), recorded(name).cluster, None)


def changed(path: Path, at: int, **update: object) -> Path:
    """The path with one of its stations changed."""
    stations = [*path.stations]
    stations[at] = replace(stations[at], **update)  # type: ignore[arg-type]
    return replace(path, stations=tuple(stations))


def without(path: Path, at: int) -> Path:
    return replace(path, stations=path.stations[:at] + path.stations[at + 1 :])


def hop(station: Station) -> str:
    return f"{station.way} {station.name} {station.direction}"


@pytest.mark.parametrize("id", [P5, NODEPORT, "E2-gateway", "S6-1-80", "I7-shop"])
def test_the_same_way_in_another_run_has_no_marks(id: str) -> None:
    pairs = pairs_of(way(id), way(id, BROKEN))
    assert [(pair.before, pair.after) for pair in pairs] == [(n, n) for n in range(1, len(pairs) + 1)]
    assert not any(pair.mark or pair.told for pair in pairs)


def test_a_bridge_that_is_gone_is_marked_before_and_its_ports_on_both_sides() -> None:
    before, after = way(P5), way(P5, ROUTED)
    pairs = pairs_of(before, after)
    gone = [before.stations[pair.before - 1] for pair in pairs if pair.mark is Mark.GONE]
    assert [one.name for one in gone] == ["cbr0"] * 4
    altered = [pair for pair in pairs if pair.mark is Mark.ALTERED]
    assert {pair.told for pair in altered} == {"a port of cbr0 → a port of no bridge"}
    assert all(pair.before and pair.after for pair in altered) and len(altered) == 4
    assert Mark.ADDED not in {pair.mark for pair in pairs}
    old, new = marks_of(pairs)
    assert sorted(old) == [1, 2, 5, 6, 7, 8, 11, 12] and set(new.values()) == {Mark.ALTERED}


def test_a_hop_more_is_marked_only_after() -> None:
    before = way(P5)
    wire = next(n for n, one in enumerate(before.stations) if one.lane.name == "UPLINK")
    tunnel = replace(before.stations[wire], lane=type(before.stations[wire].lane).TUNNEL, name="flannel.1")
    stations = (*before.stations[:wire], tunnel, *before.stations[wire:])
    (pair,) = [one for one in pairs_of(before, replace(before, stations=stations)) if one.mark]
    assert (pair.before, pair.after, pair.mark, pair.told) == (0, wire + 1, Mark.ADDED, "not passed before")
    (back,) = [one for one in pairs_of(replace(before, stations=stations), before) if one.mark]
    assert (back.before, back.after, back.mark, back.told) == (wire + 1, 0, Mark.GONE, "no longer passed")


def test_nat_that_appeared_or_went_is_told_where_it_happens() -> None:
    plain = way(P5)
    natted = changed(plain, 3, changed=("SNAT",))
    (pair,) = [one for one in pairs_of(plain, natted) if one.mark]
    assert (pair.before, pair.after, pair.told) == (4, 4, "NAT appeared: SNAT")
    (pair,) = [one for one in pairs_of(natted, plain) if one.mark]
    assert pair.mark is Mark.ALTERED and pair.told == "NAT gone: SNAT"
    proxied = changed(plain, 3, changed=("new connection",))
    assert "proxy appeared: new connection" in {one.told for one in pairs_of(plain, proxied)}


def test_nat_that_is_only_seen_at_another_hop_has_not_appeared() -> None:
    pairs = pairs_of(way(NODEPORT), way(NODEPORT, ROUTED))
    assert {pair.mark for pair in pairs} >= {Mark.GONE, Mark.ALTERED}
    assert not [pair for pair in pairs if "NAT" in pair.told]


def test_a_way_that_is_cut_short_is_told_as_not_reached() -> None:
    whole = way(P5)
    cut = replace(whole, stations=whole.stations[:3], stopped="dropped")
    gone = [pair for pair in pairs_of(whole, cut) if pair.mark]
    assert {pair.told for pair in gone} == {"not reached any more"} and len(gone) == 9
    assert {pair.told for pair in pairs_of(cut, whole) if pair.mark} == {"not reached before"}
    assert not any(pair.mark for pair in pairs_of(whole, whole))


def test_what_was_known_by_other_means_is_not_compared() -> None:
    run = explained()
    probe = next(one for one in run.probes if one.id == LOST)
    before, after = way(LOST), shown_path(probe, run.cluster, run.causes[0])
    assert not before.captured and after.captured and not comparable(before, after)
    assert not comparable(before, Path()) and comparable(way(P5), way(P5, ROUTED))
    pairs = apart(before, after)
    assert len(pairs) == len(before.stations) + len(after.stations) and not any(pair.mark for pair in pairs)


def rendered(before: Run, after: Run) -> str:
    return render_diff(before, after, compare(before, after))


def test_the_page_says_what_differs_and_draws_each_way_twice() -> None:
    text = rendered(recorded(GREEN), recorded(ROUTED))
    assert "same node: bridge cbr0 → ptp" in text and "Worse: " in text
    assert 'data-verdict="worse"' in text and 'data-verdict="other path"' in text
    article = re.findall(r'<article class="detail differs">.*?</article>', unescape(text), re.DOTALL)
    p5 = next(one for one in article if f"The way of the packet before: {probe_of(P5).sentence}" in one)
    assert p5.count("<svg class=") == 2 and p5.count('<li data-step="') == 12
    assert p5.count('class="flag"') == 8 + 4


def test_runs_that_do_not_differ_are_told_in_a_line() -> None:
    run = recorded(GREEN)
    text = rendered(run, run)
    assert "No verdict changed." in text and "Nothing else differs" in text
    assert '<svg class="drawing' not in text and "<form" not in text


def test_causes_that_came_stand_where_the_packet_ends_and_those_that_went_have_nothing_to_mend() -> None:
    run = explained()
    text = rendered(recorded(GREEN), run)
    assert '<span class="change came">came</span>' in text and run.causes[0].mend in text
    assert f"After: ✗ last seen here. {run.causes[0].what}" in text
    mended = rendered(run, recorded(GREEN))
    assert '<span class="change went">went</span>' in mended and run.causes[0].mend not in mended


def test_the_page_is_one_file_and_nothing_hostile_in_it_is_markup() -> None:
    text = rendered(hostile(recorded(GREEN)), hostile(explained()))
    assert re.findall(r"(?:src|href)=\"(?!#|data:,)[^\"]*", text) == []
    assert "<script>alert" not in text and "<img" not in text and "\x1b" not in text
    assert "default-src 'none'; script-src 'sha256-" in unescape(text)


def test_the_command_writes_the_page(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, run in (("a", recorded(GREEN)), ("b", explained())):
        (tmp_path / f"{name}.json").write_text(run.text())
    monkeypatch.setattr(command, "RUNS", tmp_path / "runs")
    page = tmp_path / "diff.html"
    assert diff(str(tmp_path / "a.json"), str(tmp_path / "b.json"), html=str(page)) == EXIT_FAILED
    assert "podpath diff" in page.read_text()
    with pytest.raises(UsageError, match="cannot be written"):
        diff(str(tmp_path / "a.json"), str(tmp_path / "b.json"), html=str(tmp_path / "none" / "diff.html"))
