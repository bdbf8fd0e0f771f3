"""What the labs declare, and `scripts/probe` around it: its list, exit codes, errors in one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labs import LABS, every_probe
from labs.claims import CLAIMS
from scripts.checks.answers import NameUnknown, NoAnswer, Refused
from scripts.checks.base import Check
from scripts.checks.datagrams import Datagrams
from scripts.checks.hang import Hang
from scripts.checks.plain import Plain
from scripts.checks.policy import Denied
from scripts.checks.request import Get
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive, skipped
from scripts.cli._asking import exit_code, following
from scripts.cli.probe import listing
from scripts.paths import ROOT
from scripts.runs.document import CauseRecord, ProbeRecord, Run

EVERY = [probe for _, probe in every_probe()]


def test_ids_are_unique_and_claims_and_controls_exist() -> None:
    known = {probe.id for probe in EVERY}
    assert len(known) == len(EVERY)
    assert all(probe.claim in CLAIMS and {*probe.controls} <= known for probe in EVERY)


def silent(check: Check) -> bool:
    """Whether the check is satisfied where nothing happens."""
    if isinstance(check, Get):
        return any(
            isinstance(expected, NoAnswer | Refused | NameUnknown | Denied) for expected in check.expect
        )
    refused = isinstance(check, Datagrams) and check.comes == "a refusal"
    return refused or isinstance(check, Plain) or (isinstance(check, Hang) and check.ready)


def test_every_negative_probe_has_a_control() -> None:
    negative = [probe for probe in EVERY if silent(probe.check)]
    assert len(negative) > 10
    for probe in negative:
        assert probe.controls, probe.id


def test_a_check_knows_that_silence_would_satisfy_it() -> None:
    assert {probe.id for probe in EVERY if probe.check.negative} == {
        probe.id for probe in EVERY if silent(probe.check)
    }


def test_every_claim_is_covered() -> None:
    assert {probe.claim for probe in EVERY} == {*CLAIMS}


def test_every_claim_is_carried_and_not_by_its_controls_alone() -> None:
    assert {probe.claim for probe in EVERY if probe.carries} == {*CLAIMS}
    idle = [probe for probe in EVERY if not probe.carries]
    assert idle and all(any(one.id in probe.controls for probe in EVERY) for one in idle)


def test_what_refutes_says_what_is_true_instead_in_a_sentence() -> None:
    refuting = {probe.id: probe.instead for probe in EVERY if probe.instead}
    assert {*refuting} == {"S9-userspace", "E3-other", "E5-node"}
    assert all(len(told) > 40 and not told.endswith(".") for told in refuting.values())


def test_each_probe_reads_as_a_sentence() -> None:
    for probe in EVERY:
        assert " asks " in str(probe) and " object at 0x" not in str(probe), probe.id
        assert str(probe).isprintable() and probe.check.expected
    assert len({str(probe) for probe in EVERY}) > len(EVERY) * 0.9


def finished(*findings: Finding) -> Run:
    probes = [
        ProbeRecord(
            id=f"X{n}", claim="C1", lab="lab", sentence="s", verdict=finding.verdict, failure=finding.failure
        )
        for n, finding in enumerate(findings)
    ]
    return Run(schema=3, id="r", stack="kind", started="", complete=True, seconds=1.0, probes=probes)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((PASSED, PASSED), 0),
        ((PASSED, skipped("x")), 0),
        ((PASSED, failed(Failure.REFUSED, "x")), 1),
        ((PASSED, inconclusive(Failure.TRANSPORT, "x")), 1),
        ((skipped("x"),), 1),
        ((), 1),
    ],
)
def test_exit_codes(findings: tuple[Finding, ...], code: int) -> None:
    assert exit_code(finished(*findings)) == code


def test_the_next_command_leads_to_the_first_failure() -> None:
    bad = finished(PASSED, inconclusive(Failure.TRANSPORT, "x"), failed(Failure.REFUSED, "x"))
    assert "scripts/probe kind -k X2" in following(bad, len(EVERY))
    assert following(finished(PASSED), len(EVERY)) == "Next: scripts/probe kind", "a part is not all"
    assert following(finished(*[PASSED] * len(EVERY)), len(EVERY)) == "Next: scripts/down kind"


def test_what_a_cause_says_how_to_mend_comes_before_the_next_probe() -> None:
    bad = finished(failed(Failure.REFUSED, "x"))
    cause = CauseRecord(kind="k", what="w", evidence=["e"], explains=["X0"], mend="docker restart x")
    mended = bad.model_copy(update={"causes": [cause]})
    assert following(mended, len(EVERY)) == "Next: mend what is named above, then scripts/probe kind"
    warning = cause.model_copy(update={"warning": True})
    assert following(bad.model_copy(update={"causes": [warning]}), len(EVERY)) == following(bad, len(EVERY))


def test_list_needs_no_cluster() -> None:
    module = [sys.executable, "-m", "scripts.cli", "probe", "--list"]
    done = subprocess.run(module, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stderr == ""
    labs = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert labs == [*LABS]
    assert all(f"    {probe.id} " in done.stdout for probe in EVERY)


def test_the_list_needs_no_document_no_reader_and_no_client() -> None:
    """What takes long to import is imported by what needs it."""
    code = (
        "import sys; from labs import every_probe; from scripts.cli.probe import listing\n"
        "listing(every_probe()); print(*{name.partition('.')[0] for name in sys.modules})\n"
        "print(*(name for name in sys.modules if name.startswith('scripts.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    packages, ours = (set(line.split()) for line in done.stdout.splitlines())
    assert "typer" in packages and not packages & {"pydantic", "rich", "kubernetes", "junitparser", "pulumi"}
    assert "scripts.checks.base" in ours and not ours & {"scripts.runs.document", "scripts.evidence.iproute"}


def test_listing_names_each_probe_under_its_claim() -> None:
    lab = "container-to-container"
    probes = [(of, probe) for of, probe in every_probe() if of == lab]
    text = listing(probes)
    assert text.startswith(f"{lab}\n  C1 Containers of a Pod share one network namespace")
    assert all(f"    {probe.id} " in text for _, probe in probes)
