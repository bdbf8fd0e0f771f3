"""Exercises without a cluster: which fault a seed gives, what is told of it, and when it counts as mended."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from labs import LABS, every_probe
from scripts.checks.base import runs_alone
from scripts.cli import __main__ as cli
from scripts.cli import _asking
from scripts.cli._restoring import exercise_goes_on, exercise_of
from scripts.fault import every_fault
from scripts.fault._base import matches
from scripts.runs.document import CauseRecord, ReplayRecord, RuleRecord
from scripts.runs.events import CausesFound, Event
from scripts.stack.profile import Profile
from scripts.suite.exercise import Exercise, choose, fit, judging, load, traceable
from tests.unit import atlas

EVERY = every_probe()


def test_a_seed_always_gives_the_same_and_different_ones_give_many() -> None:
    names = fit(every_fault(), EVERY, "")
    chosen, again = ([choose(names, n) for n in range(300)] for _ in range(2))
    harmful = {name for name, fault in every_fault().items() if not fault.harmless}
    assert chosen == again and len({*chosen}) > 40 and {*chosen} <= harmful


@pytest.mark.parametrize("lab", LABS)
def test_each_lab_has_exercises_of_its_own(lab: str) -> None:
    own = {probe.id for of, probe in EVERY if of == lab}
    names = fit(every_fault(), EVERY, lab)
    assert names or lab not in atlas.EXPORTS["labs"], "a new lab may have none yet"
    for name in names:
        assert any(matches(id, every_fault()[name].must) for id in own)


def test_what_is_judged_changes_nothing_and_belongs_to_the_fault() -> None:
    for name, fault in every_fault().items():
        probes = judging(fault, EVERY)
        assert probes or fault.harmless, name
        assert not [one for _, one in probes if runs_alone(one.check)]
        assert {one.claim for _, one in probes} >= {
            one.claim for _, one in EVERY if matches(one.id, fault.must) and not runs_alone(one.check)
        }


def test_most_exercises_have_a_request_that_can_be_followed() -> None:
    followed = [name for name, fault in every_fault().items() if traceable(fault, EVERY)]
    assert len(followed) > len(every_fault()) / 2


BEFORE = Counter({"w1 rules: -A FORWARD -j FENCE": 1, "services: lab/near {} []": 1})


def test_it_is_kept_until_it_is_solved(tmp_path: Path) -> None:
    file = tmp_path / "exercise.json"
    assert load(file) is None
    exercise = Exercise("synack", 7, BEFORE, "drawn", hints=2)
    exercise.save(file)
    assert load(file) == exercise
    file.write_text(file.read_text()[:-5])
    assert load(file) is None


def test_only_what_the_learner_has_to_restore_counts() -> None:
    exercise = Exercise("synack", 7, json.loads(json.dumps(BEFORE)))
    now = Counter(BEFORE)
    assert exercise.left(now) == []
    now["w1 folders: /tmp/podpath-fault-synack-0"] = 1
    now["services: lab/near {} ['podpath/fault']"] = now.pop("services: lab/near {} []")
    assert exercise.left(now) == [], "the marks of the exercise are not the learner's"
    now["w1 rules: -A FORWARD -j ACCEPT"] = 1
    assert exercise.left(now) == ["+ w1 rules: -A FORWARD -j ACCEPT"], "a bypass is no solution"


def test_while_it_goes_on_a_run_tells_where_and_not_why() -> None:
    heard: list[Event] = []
    rule = RuleRecord(table="filter", chain="FORWARD", text="-j DROP", verdict="DROP", decided=True)
    told = CausesFound(
        (CauseRecord(kind="rule_drops", what="w2 drops", evidence=["rule 1"]),),
        {"P1": ReplayRecord(passes=False, last="last seen at cbr0 of w2", ended=[rule])},
        1.0,
    )
    _asking.untold(heard.append)(told)
    (event,) = heard
    assert isinstance(event, CausesFound) and event.causes == ()
    assert event.replays["P1"].last == "last seen at cbr0 of w2" and event.replays["P1"].ended == []


def test_it_goes_on_until_it_is_revealed(stack: Profile) -> None:
    assert not exercise_goes_on(stack)
    Exercise("synack", 7, BEFORE).save(exercise_of(stack))
    assert exercise_goes_on(stack)
    Exercise("synack", 7, BEFORE, revealed=True).save(exercise_of(stack))
    assert not exercise_goes_on(stack)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--hint", "no exercise is going on: scripts/faults own --exercise begins one."),
        ("--check", "no exercise is going on: scripts/faults own --exercise begins one."),
        ("--reveal", "no exercise is going on: scripts/faults own --exercise begins one."),
        ("--exercise --lab nowhere", "there is no lab 'nowhere': choose from "),
        ("--lab egress", "--lab and --seed go with --exercise."),
        ("--hint --check", "--list, --undo, --exercise, --hint, --check and --reveal exclude each other."),
        ("-k nothing-like-it", "no fault has 'nothing-like-it' in its name or words"),
        ("--json /nowhere/x.json", "/nowhere/x.json cannot be written (No such file or directory)"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    arguments: str,
    said: str,
    stack: Profile,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from scripts.cli import faults

    monkeypatch.setattr(faults, "profile_of", lambda name: stack)
    assert cli.main(["faults", *arguments.split()]) == 2
    assert capsys.readouterr().err.startswith(f"podpath: {said}")


def test_hints_are_given_one_by_one(
    stack: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scripts.cli import faults

    monkeypatch.setattr(faults, "profile_of", lambda name: stack)
    Exercise("synack", 7, BEFORE).save(exercise_of(stack))
    counts = []
    for _ in range(4):
        assert cli.main(["faults", "--hint"]) == 0
        counts.append(capsys.readouterr().out.count(". "))
    hints = every_fault()["synack"].hints
    assert len(hints) == 3 and counts[0] < counts[1] < counts[2] == counts[3]


def test_faults_are_listed_without_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["faults", "--list", "-k", "synack,rule_rejects"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    rejecting = [name for name, fault in every_fault().items() if fault.cause == "rule_rejects"]
    assert listed == ["synack", *rejecting]
