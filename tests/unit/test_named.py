"""Runs by what a person calls them, and files of runs that somebody else has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.errors import UsageError
from scripts.runs.named import folder_of, has_ended, newest, others_of, read_any, run_named
from tests.unit.test_record import recorded

FIRST, SECOND, OTHER = "20261126T170000.000-kind", "20261126T170100.500-kind", "20261126T170200.000-kind-ptp"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one stack, of which the second was killed, and one of another."""
    folder = tmp_path_factory.mktemp("runs")
    for name, cut in ((FIRST, 99), (SECOND, 2), (OTHER, 99)):
        recorded(folder, cut)
        (folder / "r1").rename(folder / name)
    (folder / SECOND / "run.json").unlink()
    return folder


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (FIRST, FIRST),
        ("20261126T1700", FIRST),
        ("20261126T1702", OTHER),
        ("kind", SECOND),
        ("kind-ptp", OTHER),
    ],
)
def test_a_run_has_an_id_a_beginning_and_a_stack(text: str, name: str, kept: Path) -> None:
    assert folder_of(text, kept).name == name


def test_a_folder_and_a_file_are_runs_too(kept: Path, tmp_path: Path) -> None:
    assert folder_of(str(kept / FIRST), tmp_path) == kept / FIRST
    file = kept / FIRST / "run.json"
    assert run_named(str(file), tmp_path).text() == run_named(FIRST, kept).text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026", r"^3 runs begin with '2026': type more of the id \(scripts/report lists "),
        ("nope", r"^there is no run 'nope': scripts/report lists the runs that are kept\.$"),
        ("", r"^there is no run ''"),
    ],
)
def test_what_is_no_run_is_told_in_one_sentence(text: str, said: str, kept: Path) -> None:
    with pytest.raises(UsageError, match=said):
        folder_of(text, kept)


def test_without_any_run_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^there is no run 'kind': scripts/probe makes one\.$"):
        folder_of("kind", tmp_path)


def test_the_newest_runs_are_those_of_the_stack(kept: Path) -> None:
    assert [path.name for path in newest("kind", 2, kept)] == [FIRST, SECOND]
    with pytest.raises(
        UsageError, match=r"^only 1 of the 2 runs needed of stack 'kind-ptp' is there: scripts/probe kind"
    ):
        newest("kind-ptp", 2, kept)


def test_noise_is_told_by_the_complete_runs_of_the_stack(kept: Path) -> None:
    run = read_any(kept / FIRST)
    assert [one.complete for one in others_of(run, set(), kept)] == [True]
    assert others_of(run, {FIRST}, kept) == []


def test_a_run_that_was_killed_before_it_began_has_its_id_and_its_stack(tmp_path: Path) -> None:
    folder = tmp_path / OTHER
    folder.mkdir()
    (folder / "events.jsonl").write_text("")
    run = read_any(folder)
    assert (run.id, run.stack, run.complete) == (OTHER, "kind-ptp", False) and not has_ended(folder)


def test_control_characters_in_somebodys_file_are_made_printable(kept: Path, tmp_path: Path) -> None:
    document = json.loads((kept / FIRST / "run.json").read_text())
    document["probes"][0]["why"] = "\x1b[2Jgone"
    document["environment"] = {"\x1b]0;title\x07": "1"}
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    run = run_named(str(file), tmp_path / "none")
    assert run.probes[0].why == r"\x1b[2Jgone" and "\x1b" not in run.text()
    assert [*run.environment] == [r"\x1b]0;title\x07"]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"schema": 9}', "\udcff"])
def test_a_file_that_holds_no_run_is_told_in_one_sentence(content: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(
        UsageError, match=r"run\.json holds no run that this version of podpath can read"
    ) as told:
        run_named(str(file), tmp_path / "none")
    assert "\n" not in str(told.value)
