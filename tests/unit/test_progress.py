"""What a person reads while a run works: on a terminal, and where there is none."""

from __future__ import annotations

import io
import re

import pytest

from labs.claims import CLAIMS
from scripts.reporting import working
from scripts.reporting.progress import Progress
from scripts.reporting.signs import RED, many
from scripts.reporting.working import Working
from scripts.runs.draft import Draft
from scripts.runs.events import (
    BatchFinished,
    BatchStarted,
    Event,
    Phase,
    PhaseStarted,
    RunStarted,
    ScenarioFinished,
    ScenarioStarted,
    Waiting,
)
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import wanted
from tests.unit.test_console import Terminal
from tests.unit.world import World

pytestmark = pytest.mark.usefixtures("impatient")


def observed(err: io.StringIO, ids: str, lies: Lies | None = None) -> str:
    """What is told of a run of these probes, after two phases that came before it."""
    made = World(lies)
    with Progress(err) as progress:
        progress(PhaseStarted(Phase.READING))
        progress(PhaseStarted(Phase.SETTLING, limit=60))
        progress(Waiting("waiting for the labs to settle: Pod frontend-1 is not ready"))
        run(wanted(ids), atlas.view(), made, made, [progress])
    return err.getvalue()


def test_plain_lines_tell_phases_reasons_and_scenarios(capfd: pytest.CaptureFixture[str]) -> None:
    lines = observed(io.StringIO(), "C3 I11").splitlines()
    assert [re.sub(r"\(\d+\.\d s\)$", "(N s)", line) for line in lines] == [
        "✓ read the cluster (N s)",
        "  waiting for the labs to settle: Pod frontend-1 is not ready",
        "✓ wait for the labs to settle (N s)",
        "2 probes of stack kind",
        "✓ ask 1 probe (N s)",
        "  I11: changing the cluster",
        "✓ play 1 scenario (N s)",
    ]
    assert capfd.readouterr().out == ""


def test_a_place_that_gives_no_answer_is_told() -> None:
    assert "  frontend/webapp curl: error dialing backend" in observed(
        io.StringIO(), "C2-proxy", Lies(lost={"webapp"})
    )


def test_a_terminal_gets_live_lines_that_are_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    told = observed(Terminal(), "C3 I11")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told)
    assert "✓ play 1 scenario" in shown
    reason = "  waiting for the labs to settle: Pod frontend-1 is not ready"
    assert re.search(rf"{reason}\n\s*✓ wait for the labs to settle", shown.replace("\r", "")), "it is kept"
    hidden, back = "\x1b[?25l", "\x1b[?25h"
    assert told.count(hidden) == told.count(back) == 1 and told.rindex(back) > told.rindex(hidden)
    assert "\x1b[2K" in told, "the live lines are erased"


def test_without_colours_lines_are_plain_also_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in observed(Terminal(), "C3")


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(working, "time", made)
    return made


def test_the_time_left_is_a_phases_limit_or_what_the_last_run_took(clock: Clock) -> None:
    seen = Working({"ask": 8.0, "play scenarios": 20.0})
    assert seen.left() == ""
    seen.take(PhaseStarted(Phase.SETTLING, limit=60))
    clock.now += 15
    assert seen.left() == "at most 45 s more"
    seen.take(PhaseStarted(Phase.ASKING))
    clock.now += 3
    assert seen.left() == "about 25 s left"
    clock.now += 10
    assert seen.left() == "about 20 s left", "a phase that lasts longer than the last time"
    seen.take(PhaseStarted(Phase.REPLAYING))
    assert seen.left() == "", "the last run had no such phase"


def test_what_is_waited_for_is_named_with_its_reason_and_size(clock: Clock) -> None:
    seen = Working()
    seen.take(PhaseStarted(Phase.SETTLING))
    seen.take(Waiting("waiting: because"))
    assert seen.under_way() == ["waiting: because"]
    seen.take(PhaseStarted(Phase.ASKING))
    assert seen.under_way() == ["reading rules, connections and captures from the nodes"]
    for n in range(6):
        seen.take(BatchStarted(f"place-{n} curl", 10))
    seen.take(BatchFinished("place-0 curl", 10, 0.1))
    assert seen.far() == "10 of 60 answers"
    assert seen.under_way()[0] == "waiting for place-1 curl (10 answers)"
    assert seen.under_way()[-1] == "and 1 more"


def test_scenarios_are_named_by_their_sentences(clock: Clock) -> None:
    probes = [(lab, probe) for lab, probe in wanted("S3") if probe.id == "S3"]
    draft, seen = Draft({id: claim.sentence for id, claim in CLAIMS.items()}), Working()
    events: list[Event] = []
    made = World()
    run(probes, atlas.view(), made, made, [draft, events.append])
    for event in events:
        seen.take(event)
        if isinstance(event, ScenarioStarted):
            clock.now += 7
            assert seen.under_way() == [f"S3: {probes[0][1]} (7 s)"] and seen.far() == "0 of 1"
    assert seen.far() == "1 of 1" and any(isinstance(event, ScenarioFinished) for event in events)
    assert isinstance(events[0], RunStarted)
    phases = [timing.what for timing in draft.document().timings if timing.what.startswith("phase: ")]
    assert phases == ["phase: ask", "phase: play scenarios"]


def test_of_a_red_run_each_phase_is_told_and_timed() -> None:
    draft, err, made = Draft({}), io.StringIO(), World(Lies(silent={pod[2] for pod in atlas.PODS.values()}))
    with Progress(err) as progress:
        done = run(wanted("P1-client-1-frontend"), atlas.view(), made, made, [draft, progress])
    red = sum(one.verdict in RED for one in done)
    told = many(red, "probe")
    ends = [re.sub(r" \(\d+\.\d s\)$", "", line) for line in err.getvalue().splitlines()][-2:]
    assert red and ends == [f"✓ ask again what is red ({told})", f"✓ find causes ({told})"]
    timings = {one.what: one.seconds for one in draft.document().timings}
    assert timings["phase: ask again what is red"] >= 0 and timings["phase: find causes"] >= 0
    order = [what for what in timings if what.startswith("phase: ")]
    assert order[-2:] == ["phase: ask again what is red", "phase: find causes"]
