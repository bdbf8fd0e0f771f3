"""The page's parts: what is drawn where, what the views say together, and how the file is written."""

from __future__ import annotations

import base64
import gzip
import json
import re
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path as File
from types import SimpleNamespace

import pytest

from scripts.checks.verdict import Failure, Verdict
from scripts.cli import _asking
from scripts.reporting.files import written
from scripts.reporting.html import page
from scripts.reporting.html.beside import beside
from scripts.reporting.html.drawing import Drawing, drawing_of
from scripts.reporting.html.files import HTML
from scripts.reporting.html.lanes import CENTRE
from scripts.reporting.html.pack import MOST, bounded, packed
from scripts.reporting.html.page import render, render_trace
from scripts.reporting.html.path import Beside, Lane, captured_path
from scripts.reporting.html.printable import printable, visible
from scripts.reporting.html.seen import connections, seen_of
from scripts.reporting.html.viewed import viewed_path
from scripts.reporting.html.views import Match, facts_of
from scripts.reporting.html.words import headline
from scripts.runs.document import NodeRecord, ProbeRecord, Run
from scripts.runs.record import Record
from scripts.stack.profile import profile_of
from tests.browser.runs import BROKEN, GREEN, HOSTILE, LOST, ROUTED, cut_short, explained
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import wanted
from tests.unit.world import World
from tests.worlds.world import recorded


def probe_of(id: str, name: str = GREEN) -> ProbeRecord:
    return next(probe for probe in recorded(name).probes if probe.id == id)


def drawn(probe: ProbeRecord, run: Run) -> Drawing:
    nodes = [node.name for node in run.cluster.nodes]
    path = captured_path(probe, nodes, "") or viewed_path(probe, seen_of(probe), run.cluster, "")
    return drawing_of(path, run.cluster)


def lanes(drawing: Drawing) -> list[Lane]:
    return [step.station.lane for step in drawing.steps]


@pytest.mark.parametrize("name", [GREEN, BROKEN, ROUTED])
def test_every_hop_of_every_trace_is_drawn_in_its_lane(name: str) -> None:
    run = recorded(name)
    traced = [probe for probe in run.probes if probe.receipt.trace and probe.receipt.trace.hops]
    assert traced
    for probe in traced:
        assert probe.receipt.trace is not None
        drawing = drawn(probe, run)
        hops = probe.receipt.trace.hops
        assert [step.station.name for step in drawing.steps] == [hop.interface for hop in hops]
        for step in drawing.steps:
            assert abs(step.x - CENTRE[step.station.lane]) < 80
            assert step.points[-1] == (step.x, step.y) or step.beyond
        spots = [(step.x, step.y) for step in drawing.steps]
        assert len({*spots}) == len(spots), f"{probe.id}: two hops in one place"


def test_lanes_and_rows_stand_still_between_runs() -> None:
    drawings = [drawn(probe_of("P5-database-rest", name), recorded(name)) for name in (GREEN, BROKEN)]
    places = [[(step.x, step.y) for step in drawing.steps] for drawing in drawings]
    assert places[0] == places[1]
    assert [row.top for row in drawings[0].rows] == [row.top for row in drawings[1].rows]


def test_packets_on_one_node_turn_at_the_bridge_or_where_there_is_none_in_netfilter() -> None:
    bridged = drawn(probe_of("P4-frontend-rest"), recorded(GREEN))
    routed = drawn(probe_of("P4-frontend-rest", ROUTED), recorded(ROUTED))
    for drawing, lane, other in (
        (bridged, Lane.BRIDGE, Lane.NETFILTER),
        (routed, Lane.NETFILTER, Lane.BRIDGE),
    ):
        boxes = {box.lane for box in drawing.boxes}
        assert lane in boxes and other not in boxes
        turn = {x for x, _ in drawing.steps[1].points}
        assert any(abs(x - CENTRE[lane]) < 40 for x in turn)


def test_a_rewriting_stands_on_the_node_that_did_it() -> None:
    drawing = drawn(probe_of("I4-nodeport"), recorded(GREEN))
    tagged = [step for step in drawing.steps if step.tag]
    assert [step.tag for step in tagged] == ["DNAT + SNAT", "reverse SNAT + DNAT"]
    rows = {row.node: row for row in drawing.rows}
    for step in tagged:
        row = rows[step.station.node]
        assert step.tag_x == CENTRE[Lane.NETFILTER] and row.top < step.tag_y < row.top + row.height


def test_what_was_not_captured_is_drawn_from_what_the_views_saw() -> None:
    drawing = drawn(probe_of("S6-1-80"), recorded(GREEN))
    assert not drawing.captured
    half = [Lane.POD, Lane.NETFILTER, Lane.POD]
    assert lanes(drawing) == [*half, *half]
    assert [step.tag for step in drawing.steps] == ["", "DNAT", "", "", "reverse DNAT", ""]
    assert lanes(drawn(probe_of("I7-shop"), recorded(GREEN)))[:3] == [
        Lane.OUTSIDE,
        Lane.BALANCER,
        Lane.NETFILTER,
    ]


def test_a_path_without_an_answer_ends_where_it_was_last_seen_and_shows_whom_it_missed() -> None:
    probe = probe_of("C2-pod", BROKEN)
    run = recorded(BROKEN)
    path = viewed_path(probe, seen_of(probe), run.cluster, "the cause")
    assert path.stopped == "the cause" and not path.expected
    assert beside(probe, path, run.cluster) == (Beside("podpath-worker2", "frontend", "not reached"),)
    passed = probe_of("C4-pod-80")
    path = viewed_path(passed, seen_of(passed), recorded(GREEN).cluster, "")
    assert path.expected and "curl exit 7" in path.stopped


def test_pods_that_answered_other_requests_stand_beside_with_their_share() -> None:
    probe, cluster = probe_of("S2-1"), recorded(GREEN).cluster
    path = viewed_path(probe, seen_of(probe), cluster, "")
    found = beside(probe, path, cluster)
    assert [one.told for one in found] == ["answered 37 of 110", "answered 37 of 110"]
    rows = {row.node: row for row in drawing_of(replace(path, beside=found), cluster).rows}
    assert all(one.name in rows[one.node].slots for one in found)


def test_a_replay_is_drawn_rather_than_nothing() -> None:
    run = explained()
    probe = next(probe for probe in run.probes if probe.id == LOST)
    path = captured_path(probe, [node.name for node in run.cluster.nodes], "the cause")
    assert path is not None and path.stopped == "the cause"
    assert path.stations[-1].lane is Lane.BRIDGE and path.ended[0].verdict == "DROP"
    assert "Drawn as it was when this probe was asked once more." in path.notes


def test_of_many_nodes_those_that_are_not_on_the_way_share_a_strip() -> None:
    run = recorded(GREEN)
    more = [
        NodeRecord(name=f"node-{n}", ip=f"10.0.0.{n}", pod_range="", control_plane=False, ready=True)
        for n in range(8)
    ]
    cluster = run.cluster.model_copy(update={"nodes": [*run.cluster.nodes, *more]})
    drawing = drawn(probe_of("P5-database-rest"), run.model_copy(update={"cluster": cluster}))
    assert [row.node for row in drawing.rows if row.strip] == ["9 more nodes"]
    alone = run.cluster.model_copy(update={"nodes": run.cluster.nodes[1:2]})
    single = drawn(probe_of("P4-frontend-rest"), run.model_copy(update={"cluster": alone}))
    assert [row.node for row in single.rows] == ["podpath-worker"]


def test_connections_are_read_from_the_kernels_lines() -> None:
    (one,) = connections(probe_of("E5-node").receipt.kernel[:1])
    assert (one.node, one.destination, one.new_destination) == (
        "podpath-worker",
        "10.244.2.6:80",
        "10.244.2.6:80",
    )
    assert one.changed == ("SNAT",) and one.new_source == "172.22.0.2:61121"
    assert connections(["podpath-worker: no such connection was tracked", "x"]) == []


@pytest.mark.parametrize(
    ("id", "fact", "match"),
    [
        ("P1-client-1-frontend", "source", Match.AGREE),
        ("E5-node", "source", Match.TRANSLATED),
        ("I7-shop", "source", Match.TRANSLATED),
        ("S6-1-80", "answered by", Match.AGREE),
        ("S6-1-80", "request id", Match.AGREE),
        ("S2-1", "requests", Match.ALONE),
    ],
)
def test_views_are_compared(id: str, fact: str, match: Match) -> None:
    probe = probe_of(id)
    assert {one.name: one.match for one in facts_of(probe, seen_of(probe))}[fact] is match


def test_a_server_that_the_service_does_not_have_disagrees_with_the_api() -> None:
    probe = probe_of("S6-1-80")
    receipt = probe.receipt.model_copy(
        update={"api": {**probe.receipt.api, "endpoints": ["other-1 10.9.9.9"]}}
    )
    wrong = probe.model_copy(
        update={"receipt": receipt, "verdict": Verdict.FAILED, "failure": Failure.WRONG_RESPONDER}
    )
    assert {one.name: one.match for one in facts_of(wrong, seen_of(wrong))}["answered by"] is Match.DISAGREE


def test_packed_texts_come_back_in_blocks_of_bounded_size() -> None:
    texts = [(n, f"{n} " * (MOST // 8)) for n in range(9)]
    blocks = [*packed(texts)]
    assert len(blocks) > 2
    back = {
        number: text
        for numbers, block in blocks
        for number, text in zip(numbers, json.loads(gzip.decompress(base64.b64decode(block))), strict=True)
    }
    assert back == dict(texts)
    assert [*bounded(blocks, len(blocks[0][1]))] == blocks[:1]


def test_a_tunnel_has_its_place_between_uplink_and_netfilter() -> None:
    run = recorded(GREEN)
    probe = probe_of("P5-database-rest")
    assert probe.receipt.trace is not None
    hops = list(probe.receipt.trace.hops)
    wire = next(n for n, hop in enumerate(hops) if hop.kind == "uplink")
    hops.insert(wire, hops[wire].model_copy(update={"kind": "tunnel", "interface": "flannel.1"}))
    receipt = probe.receipt.model_copy(
        update={"trace": probe.receipt.trace.model_copy(update={"hops": hops})}
    )
    drawing = drawn(probe.model_copy(update={"receipt": receipt}), run)
    bridge, tunnel, uplink = drawing.steps[wire - 1 : wire + 2]
    assert tunnel.station.name == "flannel.1" and uplink.x < tunnel.x < CENTRE[Lane.NETFILTER] < bridge.x
    assert Lane.TUNNEL in drawing.used


def test_the_same_run_gives_the_same_page() -> None:
    assert render(explained()) == render(explained())


def test_the_first_sentence_says_what_counts() -> None:
    green = recorded(GREEN)
    judged = [one for one in green.probes if one.verdict != "inconclusive"]
    whole = green.model_copy(update={"probes": judged})
    assert re.match(r"\d+ probes passed, 1 skipped; of 43 claims \d+ proven", headline(whole))
    told = r"Of 134 probes \d+ failed and \d+ could not be judged\. 1 cause explains \d+ of them\."
    assert re.fullmatch(told, headline(explained()))
    assert headline(cut_short(recorded(GREEN), 9)).startswith("This run was cut short: 9 of 134 probes")
    assert headline(recorded(GREEN).model_copy(update={"probes": [], "claims": []})) == "No probe was asked."


def test_what_cannot_be_printed_is_made_visible_in_every_field() -> None:
    assert visible("a\x1b[31m\u202eb\tc\n") == "a\\u001b[31m\\u202eb\tc\n"
    run = recorded(GREEN)
    assert printable(run) is run
    spoilt = run.model_copy(update={"stack": HOSTILE})
    assert "\\u0000\\u202e" in printable(spoilt).stack


def test_a_report_is_written_whatever_ends_the_run(tmp_path: File) -> None:
    path = tmp_path / "r.html"
    with (
        pytest.raises(KeyboardInterrupt),
        written(HTML, path, lambda: cut_short(recorded(GREEN), 9)),
    ):
        assert "has not ended" in path.read_text()
        raise KeyboardInterrupt
    assert "cut short: 9 of 134" in path.read_text()


def test_a_single_trace_has_the_same_drawing() -> None:
    run = recorded(GREEN)
    probe = probe_of("E2-gateway")
    assert probe.receipt.trace is not None
    alone = render_trace(probe.receipt.trace, "a → <b>", "HTTP 200", run.cluster)
    assert "a → &lt;b&gt;" in alone and "HTTP 200" in alone

    def lines(text: str) -> list[str]:
        return re.findall(r'points="([^"]+)" marker', text)

    number = run.probes.index(probe)
    entries = [entry for entry in page._entries(run) if entry.number == number]
    assert lines(alone) == lines(entries[0].detail) != []


@pytest.mark.parametrize("crash", [False, True])
def test_each_run_leaves_its_report_in_its_folder(
    crash: bool, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashing(Exception):
        pass

    def happens(world: World, what: str) -> None:
        if crash and what.endswith(" curl"):
            raise Crashing

    made = World(Lies(), happens)
    probes = wanted("C2-app C3")
    monkeypatch.setattr(_asking, "Record", partial(Record, runs=tmp_path / "runs"))
    monkeypatch.setattr(_asking, "lock", lambda *_: nullcontext())
    monkeypatch.setattr(_asking, "restore_first", lambda profile: None)
    monkeypatch.setattr(_asking, "journal_of", lambda profile: None)
    monkeypatch.setattr(_asking, "at_rest", lambda *_: (atlas.view(), SimpleNamespace(api=made), made))
    with pytest.raises(Crashing) if crash else nullcontext():
        _asking.judge(profile_of("kind"), probes, [(str(tmp_path / "r.html"), HTML)])
    (folder,) = (tmp_path / "runs").iterdir()
    for path in (folder / "report.html", tmp_path / "r.html"):
        assert ("This run was cut short: 0 of" if crash else "probes passed; of") in path.read_text()
