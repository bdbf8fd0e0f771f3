"""What a person reads of a run: what matters first, on any terminal and on none."""

from __future__ import annotations

import dataclasses
import io
import os

import pytest

from labs import LABS
from scripts.checks.verdict import Verdict
from scripts.reporting.console import show
from scripts.reporting.facts import asked_and_expected
from scripts.reporting.signs import by_claim
from scripts.runs.document import CauseRecord, ReceiptRecord, ReplayRecord, RuleRecord, Run
from tests.unit import atlas
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, document

LIES = Lies(open={("172.18.0.2", 80)}, lost={"webapp"})
REFUTING = "S9-force S9-ipvs S9-userspace"
"""Probes that all pass, and one of them says what is true instead of its claim."""
LAB = "container-to-container"
IDS = " ".join(probe.id for lab, probe in EVERY if lab == LAB)


@pytest.fixture
def broken() -> Run:
    """A run of one lab in which C4-node-1-80 failed and some probes are open."""
    return document(LIES, IDS)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(run: Run, to: io.StringIO | None = None, verbose: bool = False) -> list[str]:
    out = to or io.StringIO()
    show(run, out, verbose)
    return out.getvalue().splitlines()


def block(lines: list[str], begin: str) -> list[str]:
    """The lines of a probe's block: its head and what is indented below it."""
    at = next(n for n, line in enumerate(lines) if line.lstrip().startswith(begin))
    end = next(n for n, line in enumerate(lines[at + 1 :], at + 1) if not line.startswith("    "))
    return [line.strip() for line in lines[at:end]]


def test_a_red_probe_says_what_was_expected_what_was_seen_and_what_to_type(broken: Run) -> None:
    told = block(shown(broken), "✗ C4-node-1-80")
    assert told[0] == "✗ C4-node-1-80: unexpected-answer  container-to-container"
    assert told[1:4] == [
        "asked       outside asks node 1:80 for /",
        "expected    no connection",
        "client saw  frontend-1 answered with status 200 at 172.18.0.2:80",
    ]
    assert told[4] == "last hop    the request was seen on no node"
    assert told[5].startswith("by hand     docker exec podpath-outside curl")


def test_what_passed_is_one_line_a_lab_and_every_probe_with_verbose(broken: Run) -> None:
    lines, every = shown(broken), shown(broken, verbose=True)
    (lab,) = [line for line in lines if line.startswith(f"✗ {LAB}")]
    assert " 1 failed" in lab and not any(" C3 " in line for line in lines)
    assert all(any(f" {probe.id} " in line for line in every) for probe in broken.probes)
    assert len(every) > len(lines)


def test_a_claim_that_is_simply_proven_is_told_with_verbose_only(broken: Run) -> None:
    proven = [claim.id for claim in broken.claims if claim.verdict == "proven"]
    assert proven and any(
        line.startswith("  refuted        C4   C4-node-1-80: Without") for line in shown(broken)
    )
    for id in proven:
        assert not any(line.startswith(f"  proven         {id} ") for line in shown(broken))
        assert any(line.startswith(f"  proven         {id} ") for line in shown(broken, verbose=True))


def test_what_follows_from_a_red_probe_is_told_with_it() -> None:
    run = document(Lies(lost={"client"}), "C4-alive C4-pod-80 C4-pod-8080")
    assert {probe.id: probe.follows for probe in run.probes}["C4-pod-80"] == "C4-alive"
    lines = shown(run)
    told = block(lines, "? C4-alive")
    assert "so open     C4 (2): without it they prove nothing" in told
    assert not any(line.strip().startswith("? C4-pod") for line in lines)


WHAT = "podpath-worker drops what arrives for node ports"
CAUSE = CauseRecord(
    kind="dropped",
    what=WHAT,
    node="podpath-worker",
    evidence=["filter/INPUT rule 1 (-p tcp --dport 80 -j DROP) counted 38 in the replay"],
    explains=["C4-node-1-80"],
    look="docker exec podpath-worker iptables -nvL INPUT --line-numbers",
    mend="docker exec podpath-worker iptables -D INPUT 1",
)
LAST = "the request was last seen at eth0 of podpath-worker"


def explained(run: Run, *causes: CauseRecord) -> Run:
    """The run with causes, and with the last hop of its failed probe."""
    replay = ReplayRecord(passes=False, last=LAST)
    probes = [
        probe.model_copy(update={"receipt": probe.receipt.model_copy(update={"replay": replay})})
        if probe.verdict is Verdict.FAILED
        else probe
        for probe in run.probes
    ]
    return run.model_copy(update={"causes": [*causes], "probes": probes})


def test_the_cause_comes_first_and_what_it_explains_is_not_told_again(broken: Run) -> None:
    lines = [line for line in shown(explained(broken, CAUSE)) if line]
    assert lines[:6] == [
        "1 cause explains 1 red probe",
        f"  ✗ {WHAT}",
        f"    {CAUSE.evidence[0]}",
        "    explains    C4-node-1-80",
        f"    look        {CAUSE.look}",
        f"    mend        {CAUSE.mend}",
    ]
    assert not any(line.startswith("  ✗ C4-node-1-80") for line in lines)
    assert any(line.startswith("no cause was found for these: ") for line in lines)


def test_what_no_cause_explains_is_told_with_its_last_hop(broken: Run) -> None:
    lines = shown(explained(broken, CAUSE.model_copy(update={"explains": []})))
    assert f"last hop    {LAST}" in block(lines, "✗ C4-node-1-80")


def test_asking_again_says_whether_it_was_lost_and_which_rule_ended_it(broken: Run) -> None:
    rule = RuleRecord(table="filter", chain="INPUT", text="-j DROP", verdict="DROP", decided=True)
    policy = rule.model_copy(update={"text": "", "chain": "FORWARD"})
    replay = ReplayRecord(passes=True, last=LAST, ended=[rule, policy])
    probes = [
        probe.model_copy(update={"receipt": ReceiptRecord(replay=replay)}) if probe.failure else probe
        for probe in broken.probes
    ]
    told = block(shown(broken.model_copy(update={"probes": probes})), "✗ C4-node-1-80")
    at = told.index(f"last hop    {LAST}")
    assert told[at - 1].startswith("again       answered when asked once more")
    assert told[at + 1 : at + 3] == [
        "rule        filter/INPUT: -j DROP → DROP",
        "rule        filter/FORWARD: its policy → DROP",
    ]


def test_what_a_cause_explains_is_counted_by_claim_in_the_order_of_the_run(broken: Run) -> None:
    ids = ["C4-pod-80", "C2-pod", "C4-node-1-80", "gone"]
    assert by_claim(ids, {probe.id: probe for probe in broken.probes}) == "C2-pod, C4 (2), gone"


def test_what_follows_from_an_explained_probe_is_explained(broken: Run) -> None:
    run = document(Lies(lost={"client"}), "C4-alive C4-pod-80")
    cause = CAUSE.model_copy(update={"explains": ["C4-alive"]})
    lines = shown(run.model_copy(update={"causes": [cause]}))
    assert "1 cause explains 2 red probes" in lines
    assert not any("no cause was found" in line for line in lines)


def test_a_warning_holds_on_a_green_run_and_explains_nothing() -> None:
    warning = CAUSE.model_copy(update={"explains": [], "warning": True})
    lines = [line for line in shown(document(ids="C3").model_copy(update={"causes": [warning]})) if line]
    assert lines[:2] == ["1 warning", f"  ! {WHAT}"]
    assert "red" not in " ".join(lines)


def test_the_sums_come_last(broken: Run) -> None:
    assert " 1 failed" in shown(broken)[-1] and "1 refuted" in shown(broken)[-1]
    assert shown(document(ids=REFUTING))[-1].startswith("3 probes: 3 passed; 1 claim: 1 refuted; ")


def test_a_run_that_was_cut_short_says_so(broken: Run) -> None:
    first, *rest = broken.probes
    left = [dict(id=one.id, claim=one.claim, lab=one.lab, sentence=one.sentence) for one in rest]
    cut = Run.model_validate(
        {**broken.model_dump(by_alias=True), "complete": False, "probes": [first], "unjudged": left}
    )
    assert shown(cut)[-2] == f"cut short: {len(rest)} of {len(broken.probes)} probes were not judged"


def test_what_is_true_instead_of_a_claim_is_told() -> None:
    lines = shown(document(ids=REFUTING))
    at = next(n for n, line in enumerate(lines) if line.startswith("  refuted"))
    assert lines[at + 1].strip().startswith("the userspace mode is gone")


def test_labs_stand_in_the_articles_order() -> None:
    lines = shown(document(ids="I7-shop E3-pod P1-client-1-rest C2-app"))
    labs = [line.split()[1] for line in lines if line.startswith(("✓ ", "✗ "))]
    assert labs == [lab for lab in LABS if lab in labs] and len(labs) == 4


@pytest.mark.parametrize("columns", [60, 100, 200])
def test_lines_fit_the_terminal_but_commands_which_are_to_be_pasted(
    broken: Run, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    run = explained(broken, CAUSE.model_copy(update={"explains": []}))
    for verbose in (False, True):
        lines = shown(run, Terminal(), verbose)
        commands = [line for line in lines if line.split()[:1] in (["look"], ["mend"], ["by"])]
        assert commands and all(len(line) < columns for line in lines if line not in commands)
    assert any(CAUSE.look in line for line in commands)


def test_colours_are_for_terminals_whose_user_did_not_refuse_them(
    broken: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert any("\x1b[" in line for line in shown(broken, Terminal()))
    assert not any("\x1b" in line for line in shown(broken))
    monkeypatch.setenv("TERM", "dumb")
    assert not any("\x1b" in line for line in shown(broken, Terminal()))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any("\x1b" in line for line in shown(broken, Terminal()))


def test_a_terminal_without_unicode_gets_plain_signs(broken: Run) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="replace")
    show(broken, out)
    assert b"C4-node-1-80" in raw.getvalue() and raw.getvalue().isascii()


def test_a_probe_that_is_skipped_says_why_with_verbose() -> None:
    nobody = dataclasses.replace(atlas.view(), outside=None)
    text = "\n".join(shown(document(LIES, IDS, nobody), verbose=True))
    assert "- skipped" in text and "no world outside" in text


def test_each_sentence_has_two_halves() -> None:
    for _, probe in EVERY:
        assert asked_and_expected(str(probe)) == (probe.asked, probe.check.expected)


def test_a_reader_that_goes_away_is_no_error(broken: Run, capfd: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as out:
        show(broken, out)
        print("nobody reads this", file=out)
    assert capfd.readouterr().err == ""
