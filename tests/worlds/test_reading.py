"""What a person reads of recorded runs: of broken ones on terminals of several widths, of each one a page."""

from __future__ import annotations

import io
import re

import pytest

from scripts.reporting.console import show
from scripts.reporting.html.page import render
from scripts.reporting.markdown import MARKDOWN
from scripts.reporting.reds import reds_of
from scripts.reporting.signs import RED
from scripts.runs.document import CauseRecord, Run
from tests.worlds.world import names, recorded

BROKEN = ("synack", "natflush", "paused", "foreign")
SCREENS = 2
"""Screens of 50 lines that a broken run may fill, above its list of claims."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(run: Run, out: io.StringIO) -> list[str]:
    show(run, out)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("name", BROKEN, scope="session")
@pytest.mark.parametrize("columns", [60, 100, 200])
def test_a_broken_run_leads_the_eye_to_what_is_broken(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    lines = shown(recorded(name), Terminal())
    assert lines[1].startswith("not passed: ") and lines[2][:4] in ("  ✗ ", "  ? ")
    long = [line for line in lines if len(line) >= columns]
    assert all(line.lstrip().startswith("by hand ") for line in long), "only what is to be pasted is not cut"
    claims = lines.index("claims that are not simply proven")
    if columns >= 100:
        assert claims <= SCREENS * 50


@pytest.mark.parametrize("name", BROKEN, scope="session")
def test_every_red_probe_is_told_by_its_id_or_counted_under_its_claim(name: str) -> None:
    run = recorded(name)
    lines = shown(run, io.StringIO())
    told = " ".join(lines[: lines.index("claims that are not simply proven")])
    for probe in run.probes:
        if probe.verdict in RED:
            assert probe.id in told or f"{probe.claim} (" in told, probe.id
    groups = reds_of(run).groups
    assert sum(group.weight for group in groups) == sum(probe.verdict in RED for probe in run.probes)


def test_a_cause_takes_the_place_of_all_that_it_explains() -> None:
    """Modelled on what the world ``synack`` has: a rule that drops answers between two nodes."""
    run = recorded("synack")
    red = [probe.id for probe in run.probes if probe.verdict in RED]
    cause = CauseRecord(
        kind="dropped",
        what="podpath-worker2 drops answers to Pods of podpath-worker",
        node="podpath-worker2",
        evidence=[
            "filter/FORWARD rule 1 (-p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP) counted 38 in the replay"
        ],
        explains=red,
        look="docker exec podpath-worker2 iptables -nvL FORWARD --line-numbers",
        mend="docker exec podpath-worker2 iptables -D FORWARD 1",
    )
    explained = run.model_copy(update={"causes": [cause]})
    lines = [line for line in shown(explained, io.StringIO()) if line]
    assert lines[:3] == [
        f"1 cause explains {len(red)} red probes",
        f"  ✗ {cause.what}",
        f"    {cause.evidence[0]}",
    ]
    assert lines[3].startswith("    explains    C2-pod, C4 (7), P6, S1, S2-1, ")
    assert lines[4:6] == [f"    look        {cause.look}", f"    mend        {cause.mend}"]
    assert lines[6] == "✗ container-to-container  6 passed, 2 failed, 6 inconclusive"
    assert MARKDOWN.render(explained).index(cause.what) < MARKDOWN.render(explained).index("| lab |")


@pytest.mark.parametrize("name", names(), scope="session")
def test_a_page_of_the_full_suite_is_one_small_file(name: str) -> None:
    text = render(recorded(name))
    assert len(text.encode()) <= 2 << 20
    assert re.findall(r"(?:src|href)=\"(?!#|data:,)[^\"]*", text) == []
    assert "url(http" not in text and "@import" not in text
