"""Renders what `scripts/faults` found out: a table on the console, and JUnit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TextIO

from scripts.runs.proof import FaultRecord, Proof

MOST = 4
"""Probes that are named in a row."""


def show(proof: Proof, out: TextIO = sys.stdout) -> None:
    """Prints a row for each fault, what is wrong below it, and the sums."""
    width = max((len(one.id) for one in proof.faults), default=5)
    for one in proof.faults:
        print(row(one, width), file=out)
        for line in wrong(one):
            print(f"    {line}", file=out)
    print(f"\n{proof.summary()}", file=out, flush=True)


def row(one: FaultRecord, width: int) -> str:
    """A fault in one line: the sign, its name, who noticed it, what it was called, seconds."""
    fine = one.noticed and one.restored and not one.false and one.called
    named = one.named[0].kind if one.named else "-"
    return (
        f"{'✓' if fine else '✗'} {one.id:<{width}}  {one.seconds:5.1f} s  "
        f"named {named}  "
        f"noticed by {several([red.id for red in one.reds if red.predicted])}"
    )


def wrong(one: FaultRecord) -> list[str]:
    """What is wrong with a fault, a line each."""
    lines = [one.problem] if one.problem else []
    lines += [f"not noticed as predicted by {line}" for line in one.missed]
    lines += [
        f"false: {red.id} {red.verdict} {red.failure}: {red.why}" for red in one.reds if not red.predicted
    ]
    if not one.called and not one.problem:
        first = f"{one.named[0].kind} on {one.named[0].node or 'no node'}" if one.named else "nothing"
        lines.append(f"named {first} instead of {one.cause}{f' on {one.node}' if one.node else ''}")
    lines += [f"NOT RESTORED: {line}" for line in one.left]
    lines += [f"still red after it was undone: {line}" for line in one.still]
    return lines


def several(ids: list[str]) -> str:
    """The first few of many probes."""
    more = f" and {len(ids) - MOST} more" if len(ids) > MOST else ""
    return ", ".join(ids[:MOST]) + more if ids else "nobody"


def write_junit(path: Path, proof: Proof) -> None:
    """Writes a test case for each fault."""
    from junitparser import Failure, JUnitXml, TestCase, TestSuite

    suite = TestSuite("faults")
    for one in proof.faults:
        case = TestCase(f"{one.id}: {one.what}", "faults", one.seconds)
        if lines := wrong(one):
            failure = Failure(lines[0], "fault")
            failure.text = "\n".join(lines)
            case.result = [failure]
        suite.add_testcase(case)
    xml: Any = JUnitXml("podpath")
    xml.add_testsuite(suite)
    xml.update_statistics()
    xml.write(str(path))
