"""`scripts/up` around its cluster: when it looks at the doors only, what it suspects, and a new cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from labs import every_probe
from scripts.checks.base import Probe
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive, skipped
from scripts.cli import _asking, up
from scripts.cli._asking import GREEN, RED
from scripts.clusters.kind import life
from scripts.errors import EXIT_FAILED, EXIT_OK, PodpathError, UsageError
from scripts.runs.document import ProbeRecord, Run
from scripts.stack.profile import Profile

EVERY = every_probe()


class Made:
    """A cluster that is brought up and torn down; ``finding`` is what each probe comes to."""

    def __init__(self) -> None:
        self.finding: Finding = PASSED
        self.changes = False
        self.done: list[str] = []
        self.asks = ""

    def question(self, profile: Profile) -> str:
        return self.asks

    def bring_up(
        self,
        profile: Profile,
        labs: Sequence[str],
        restore: Callable[[], None],
        suspect: bool,
        build: bool,
    ) -> bool:
        self.done.append(f"up{', suspect' * suspect}{', build' * build}")
        restore()
        return self.changes

    def tear_down(
        self, profile: Profile, restore: Callable[[], None] = lambda: None, at_once: bool = False
    ) -> list[str]:
        self.done.append("down at once" if at_once else "down")
        return []

    def run(self, profile: Profile, probes: Sequence[tuple[str, Probe]], *_: Any) -> tuple[Run, Path]:
        asked = len(probes)
        self.done.append("every probe" if asked == len(EVERY) else "the doors" if asked > 1 else "one probe")
        verdict, failure = self.finding.verdict, self.finding.failure
        records = [
            ProbeRecord(id=one.id, claim=one.claim, lab=lab, sentence="s", verdict=verdict, failure=failure)
            for lab, one in probes
        ]
        run = Run(schema=3, id="r", stack=profile.stack, started="", complete=True, seconds=1, probes=records)
        return run, Path("runs")


@pytest.fixture
def made(stack: Profile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Made:
    made = Made()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(up, "profile_of", lambda name: stack)
    monkeypatch.setattr(up, "provider_of", lambda profile: made)
    monkeypatch.setattr(up, "restore_alone", lambda profile, **_: made.done.append("restore"))
    monkeypatch.setattr(up, "STATE", tmp_path)
    monkeypatch.setattr(up, "at_rest", lambda *_, **__: None)
    monkeypatch.setattr(_asking, "_run", made.run)
    monkeypatch.setattr(_asking, "show", lambda run, **_: None)
    return made


def done(made: Made) -> list[str]:
    """What happened since this was asked last."""
    happened = [*made.done]
    made.done.clear()
    return happened


BAD = [failed(Failure.REFUSED, "x"), inconclusive(Failure.TRANSPORT, "x")]


def test_all_claims_are_judged_once_and_then_the_doors(made: Made) -> None:
    assert up.up() == EXIT_OK and done(made) == ["up", "restore", "every probe"]
    assert up.up() == EXIT_OK and done(made) == ["up", "restore", "the doors"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("asked", [EVERY, EVERY[:1]])
def test_after_a_red_run_every_claim_is_judged_again_and_the_objects_are_compared(
    made: Made, stack: Profile, bad: Finding, asked: list[tuple[str, Probe]]
) -> None:
    up.up()
    made.finding = bad
    assert _asking.judge(stack, asked) == EXIT_FAILED
    assert not (stack.folder / GREEN).exists() and (stack.folder / RED).exists()
    done(made)
    made.finding = PASSED
    assert _asking.judge(stack, EVERY[:1]) == EXIT_OK and (stack.folder / RED).exists(), "a part is not all"
    done(made)
    assert up.up() == EXIT_OK and done(made) == ["up, suspect", "restore", "every probe"]
    assert up.up() == EXIT_OK and done(made) == ["up", "restore", "the doors"]


def test_a_green_run_of_every_probe_is_as_good_as_the_one_of_up(made: Made, stack: Profile) -> None:
    (stack.folder / RED).touch()
    assert _asking.judge(stack, EVERY) == EXIT_OK
    done(made)
    assert up.up() == EXIT_OK and done(made) == ["up", "restore", "the doors"]


def test_verdicts_that_cannot_be_shown_are_told_and_stay_green(
    made: Made, stack: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(run: Run, verbose: bool) -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr(_asking, "show", show)
    assert _asking.judge(stack, EVERY) == EXIT_OK and (stack.folder / GREEN).exists()
    told = "podpath: the verdicts could not be shown (it broke); the verdicts are not affected."
    assert capsys.readouterr().err.splitlines() == [told]


def test_probes_that_are_skipped_are_not_red(made: Made, stack: Profile) -> None:
    up.up()
    made.finding = skipped("x")
    assert _asking.judge(stack, EVERY[:1]) == EXIT_FAILED
    assert (stack.folder / GREEN).exists() and not (stack.folder / RED).exists()


def test_what_was_changed_without_probing_is_judged_by_the_next_up(made: Made) -> None:
    up.up()
    made.changes = True
    assert up.up(no_probe=True) == EXIT_OK
    made.changes = False
    done(made)
    assert up.up() == EXIT_OK and done(made) == ["up", "restore", "every probe"]


@pytest.mark.parametrize("bad", BAD)
def test_a_red_up_ends_by_offering_a_new_cluster(
    made: Made, bad: Finding, capsys: pytest.CaptureFixture[str]
) -> None:
    made.finding = bad
    assert up.up("own") == EXIT_FAILED
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "If the cluster itself is broken: scripts/up own --fresh makes a new one."
    made.finding = PASSED
    assert up.up("own") == EXIT_OK
    assert "--fresh" not in capsys.readouterr().out


def test_fresh_tears_down_first(made: Made) -> None:
    assert up.up(fresh=True) == EXIT_OK and done(made) == ["down at once", "up", "restore", "every probe"]


def test_build_is_handed_on(made: Made) -> None:
    assert up.up(build=True, no_probe=True) == EXIT_OK and done(made) == ["up, build", "restore"]


def test_without_an_engine_nothing_of_a_cluster_of_ours_runs(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "refusal", lambda: "no engine")
    assert life.tear_down(stack, at_once=True) == []
    with pytest.raises(PodpathError, match="no Docker Engine answers"):
        life.tear_down(stack)


def test_a_given_cluster_is_not_changed_before_somebody_has_agreed(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.asks = "It makes namespaces on context c."
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(UsageError, match=r"^It makes .* on context c\. Nobody .* scripts/up own --yes"):
        up.up("own")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", lambda question, err: question.endswith("?") and not err)
    with pytest.raises(UsageError, match="nothing was changed"):
        up.up("own")
    assert done(made) == []
    monkeypatch.setattr(typer, "confirm", lambda question, err: True)
    assert up.up("own") == EXIT_OK and done(made)[0] == "up"
    made.asks = "again"
    assert up.up("own", yes=True) == EXIT_OK and done(made)[0] == "up"
