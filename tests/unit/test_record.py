"""Runs on disk: written as they happen, read back whole or as far as they came, and pruned."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from labs.claims import CLAIMS
from scripts.errors import UsageError
from scripts.runs.document import Run
from scripts.runs.draft import Draft
from scripts.runs.record import KEPT, Record, pace, prune, read, run_id, runs
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import wanted
from tests.unit.test_reports import Cut, cut_after
from tests.unit.world import World

IDS = "C2-app C2-proxy C3 E1-trace E1-node I1"
SENTENCES = {id: claim.sentence for id, claim in CLAIMS.items()}


def recorded(folder: Path, cut: int = 99) -> tuple[Path, Run]:
    """The folder of a run, and its document as it was when the run ended; ``cut`` as ``cut_after``."""
    made, draft = World(Lies(lost={"webapp"})), Draft(SENTENCES)
    with suppress(Cut), Record("r1", draft, folder) as record:
        run(wanted(IDS), atlas.view(), made, made, [draft, record, cut_after(cut)], "r1")
    return folder / "r1", draft.document()


def test_the_record_is_there_before_the_end(tmp_path: Path) -> None:
    folder, _ = recorded(tmp_path, cut=3)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events[:2]] == ["Draft", "RunStarted"]
    judged = [event["probe"] for event in events if event["event"] == "ProbeJudged"]
    assert len(judged) == 4
    assert {"client", "server", "kernel", "api", "gaps"} <= {*judged[0]["receipt"]}
    assert [event["at"] for event in events[1:]] == sorted(event["at"] for event in events[1:])
    assert (folder / "raw" / "frontend_nginx_curl.out").read_bytes().startswith(b"C2-app.")
    assert folder.stat().st_mode & 0o077 == 0


def test_the_record_keeps_what_every_exec_printed(tmp_path: Path) -> None:
    """Traced requests and all others are two execs at one source; captures are kept as they were read."""
    folder, _ = recorded(tmp_path)
    raw = {path.name: path.read_bytes() for path in (folder / "raw").iterdir()}
    curls = [data for name, data in raw.items() if "traveller-1_nginx_curl" in name]
    assert sorted(data.split(b".")[0] for data in curls) == [b"E1-node", b"E1-trace"]
    assert {name for name in raw if name.startswith("capture-")} >= {
        f"capture-{place}.out" for place in ("control", "worker-a", "worker-b", "gateway")
    }
    assert raw["capture-worker-a.err"].endswith(b"0 packets dropped by kernel\n")
    assert {"before-worker-a.out", "kernel-worker-a.out"} <= raw.keys()


def test_a_run_reads_back_as_it_was(tmp_path: Path) -> None:
    folder, document = recorded(tmp_path)
    assert read(folder).text() == document.text() and document.complete
    traced = next(probe for probe in document.probes if probe.id == "E1-trace")
    assert traced.receipt.trace is not None and traced.receipt.trace.hops[0].node == "worker-a"
    assert [probe.verdict for probe in document.probes if probe.id == "C2-proxy"] == ["inconclusive"]
    assert {claim.sentence for claim in document.claims} <= {*SENTENCES.values()}
    assert {node.name for node in document.cluster.nodes} == {*atlas.NODES}


def test_a_run_cut_short_reads_back_as_far_as_it_came(tmp_path: Path) -> None:
    folder, document = recorded(tmp_path, cut=2)
    seen = read(folder)
    assert not seen.complete and len(seen.probes) == 3
    assert (seen.probes, seen.unjudged) == (document.probes, document.unjudged)


def test_a_killed_run_is_read_out_of_its_events(tmp_path: Path) -> None:
    folder, document = recorded(tmp_path, cut=2)
    (folder / "run.json").unlink()
    seen = read(folder)
    assert (seen.id, seen.stack, seen.complete) == ("r1", "kind", False)
    assert (seen.probes, seen.unjudged) == (document.probes, document.unjudged)
    assert seen.cluster.nodes == document.cluster.nodes
    assert seen.cluster.features == document.cluster.features
    assert [(claim.id, claim.verdict, claim.told) for claim in seen.claims] == [
        (claim.id, claim.verdict, claim.told) for claim in document.claims
    ]


def test_a_finished_run_is_read_out_of_its_events_too(tmp_path: Path) -> None:
    folder, document = recorded(tmp_path)
    (folder / "run.json").unlink()
    seen = read(folder)
    assert seen.complete and seen.seconds == document.seconds and seen.probes == document.probes


def test_a_folder_without_a_run_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^there is no run in .*nope\.$"):
        read(tmp_path / "nope")


@pytest.mark.parametrize("text", ['{"schema": 1}', "{}", "[", '{"schema": 2, "id": 7}', ""])
def test_a_run_of_another_schema_is_told_in_one_sentence(text: str, tmp_path: Path) -> None:
    folder, _ = recorded(tmp_path)
    (folder / "run.json").write_text(text)
    with pytest.raises(UsageError, match=r"cannot be read by this version of podpath \(.*\)\.$") as raised:
        read(folder)
    assert "\n" not in str(raised.value)


def made_runs(folder: Path, number: int) -> list[Path]:
    paths = [folder / f"2020010{n // 10}T00000{n % 10}.000-kind" for n in range(number)]
    for path in paths:
        (path / "raw").mkdir(parents=True)
        (path / "events.jsonl").write_text("")
    return paths


@pytest.mark.parametrize(("there", "keep", "left"), [(5, 3, 3), (3, 3, 3), (2, 3, 2), (0, 3, 0), (5, 0, 0)])
def test_the_oldest_runs_go_first(there: int, keep: int, left: int, tmp_path: Path) -> None:
    paths = made_runs(tmp_path, there)
    prune(tmp_path, keep)
    assert runs(tmp_path) == paths[there - left :]


def test_a_new_run_makes_room_for_itself_and_touches_nothing_else(tmp_path: Path) -> None:
    made_runs(tmp_path, KEPT + 2)
    (tmp_path / "notes").mkdir()
    recorded(tmp_path)
    assert len(runs(tmp_path)) == KEPT and runs(tmp_path)[-1].name == "r1"
    assert (tmp_path / "notes").is_dir()


def test_names_of_runs_sort_by_time() -> None:
    names = [run_id("kind") for _ in range(3)]
    assert names == sorted(names) and all(name.endswith("-kind") for name in names)


def test_the_pace_is_that_of_the_newest_whole_run_of_the_same_probes(tmp_path: Path) -> None:
    folder, document = recorded(tmp_path)
    (told,) = [one for one in document.timings if one.what == "phase: ask"]
    assert pace("kind", len(document.probes), tmp_path)["ask"] == told.seconds
    assert pace("kind", len(document.probes) + 1, tmp_path) == {}
    assert pace("other", len(document.probes), tmp_path) == {}
    (folder / "run.json").write_text("{")
    assert pace("kind", len(document.probes), tmp_path) == {}, "one that cannot be read says nothing"


def test_phases_are_read_back_from_the_events_of_a_killed_run(tmp_path: Path) -> None:
    folder, document = recorded(tmp_path)
    (folder / "run.json").unlink()
    assert read(folder).timings == document.timings
