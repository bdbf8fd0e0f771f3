"""What the labs declare, and `scripts/probe` around it: filters, exit codes, errors in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labs import LABS, model, probes_of
from labs.claims import CLAIMS
from scripts.commands.probe import chosen, exit_code, following
from scripts.errors import PodpathError, UsageError
from scripts.paths import ROOT
from scripts.probing.events import RunFinished
from scripts.probing.kube import Kube
from scripts.probing.verdict import PASSED, Failure, Finding, Result, failed, inconclusive, skipped

EVERY = [probe for lab in LABS for probe in probes_of(lab)]


def ids(lab: str = "", text: str = "") -> set[str]:
    return {probe.id for _, probe in chosen(lab, text)}


def test_ids_are_unique_and_claims_and_controls_exist() -> None:
    known = {probe.id for probe in EVERY}
    assert len(known) == len(EVERY)
    assert all(probe.claim in CLAIMS and {*probe.controls} <= known for probe in EVERY)


def test_every_negative_probe_has_a_control() -> None:
    negative = (model.NoAnswer, model.Refused, model.NameUnknown, model.NotRouted, model.NoneFails)
    for probe in EVERY:
        if any(isinstance(expected, negative) for expected in probe.expect):
            assert probe.controls, probe.id


def test_every_claim_is_covered() -> None:
    assert {probe.claim for probe in EVERY} == {*CLAIMS}


def test_what_refutes_says_what_is_true_instead_in_a_sentence() -> None:
    refuting = {probe.id: probe.instead for probe in EVERY if probe.instead}
    assert {*refuting} == {"S9-userspace", "E3-other", "E5-node"}
    assert all(len(told) > 40 and not told.endswith(".") for told in refuting.values())


def test_each_probe_reads_as_a_sentence() -> None:
    for probe in EVERY:
        assert " asks " in str(probe) and " object at 0x" not in str(probe), probe.id
        assert str(probe).isprintable() and all(str(expected) for expected in probe.expect)
    assert len({str(probe) for probe in EVERY}) > len(EVERY) * 0.9


def test_filters_bring_the_controls_along() -> None:
    assert ids(text="F1-1") == {"F1-1", "S6-1-80"}
    assert {"C4-alive", "C4-reach-1"} <= ids(text="C4-pod-8080")
    assert ids("ingress-l7") == {probe.id for probe in probes_of("ingress-l7")}
    assert ids(text="S7-ready") == {"S7-ready", "S7-hangs"}
    assert ids(text="I5-skips") == {"I5-skips", "I5-local", "I6-without"}


def test_filters_are_of_any_case_and_read_sentences() -> None:
    assert ids(text="SHOP.podpath") == {"I7-shop", "I10-forwarded", "I10-plain", "I12-shop"}


def test_what_nobody_has_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="choose from container-to-container"):
        chosen("nope", "")
    with pytest.raises(UsageError, match="no probe has 'zzz'"):
        chosen("", "zzz")


def finished(*findings: Finding) -> RunFinished:
    results = tuple(Result(f"X{n}", "C1", "lab", "s", finding) for n, finding in enumerate(findings))
    return RunFinished("r", "kind", 1.0, results)


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
    assert "scripts/probe kind -k X2" in following(bad)
    assert following(finished(PASSED)) == "Next: scripts/probe kind", "a part is not all"
    assert following(finished(*[PASSED] * len(EVERY))) == "Next: scripts/down kind"


def command(*argv: str) -> subprocess.CompletedProcess[str]:
    module = [sys.executable, "-m", "scripts.commands.probe", *argv]
    return subprocess.run(module, cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_list_needs_no_cluster() -> None:
    done = command("--list")
    assert done.returncode == 0 and done.stderr == ""
    labs = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert labs == [
        "container-to-container", "pod-to-pod", "pod-to-service", "egress", "ingress-l4", "ingress-l7",
    ]  # fmt: skip
    assert all(f"    {probe.id} " in done.stdout for probe in EVERY)


@pytest.mark.parametrize("argv", [("nostack",), ("--lab", "nope"), ("-k", "zzz"), ("--nope",)])
def test_bad_usage_is_one_sentence_and_exit_code_2(argv: tuple[str, ...]) -> None:
    done = command(*argv)
    assert done.returncode == 2 and done.stdout == ""
    assert "Traceback" not in done.stderr and done.stderr.strip()


def test_no_cluster_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PodpathError, match=r"no cluster answers for stack kind: run scripts/up kind\.$"):
        Kube(tmp_path / "kubeconfig", "kind")
    config = tmp_path / "kubeconfig"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\nusers: [{name: u, user: {token: t}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}]\n"
    )
    with pytest.raises(PodpathError, match="no cluster answers"):
        Kube(config, "kind").get("/version")
