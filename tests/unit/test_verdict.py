"""A whole run against the honest cluster, and how findings become verdicts."""

from __future__ import annotations

import pytest

from labs import LABS
from scripts.checks.base import Check, Probe, Scenario
from scripts.checks.destinations import Localhost
from scripts.checks.peers import Client
from scripts.checks.request import Expectation, Get
from scripts.checks.verdict import (
    PASSED,
    Failure,
    combined,
    failed,
    inconclusive,
    skipped,
)
from scripts.evidence.identity import HEADER_CONTAINER
from scripts.runs.document import Run
from scripts.suite.run import run
from tests.unit import atlas
from tests.unit.atlas import NOT_HERE
from tests.unit.lies import Lies
from tests.unit.runs import EVERY, I, P, S, document, found, results
from tests.unit.world import World

LAB = "pod-to-service"


@pytest.fixture(scope="module")
def honest() -> Run:
    return document()


def test_an_honest_cluster_passes_every_probe_of_every_lab(honest: Run) -> None:
    others = {r.id: found(r) for r in honest.probes if r.verdict is not P}
    assert {*others} == NOT_HERE and {one.verdict for one in others.values()} == {S}
    assert [r.id for r in honest.probes] == [probe.id for _, probe in EVERY]
    assert {r.lab for r in honest.probes} == {*atlas.EXPORTS["labs"]} <= {*LABS}


def test_every_receipt_has_its_views(honest: Run) -> None:
    seen = {result.id: result.receipt for result in honest.probes}
    assert not any(receipt.gaps for receipt in seen.values())
    service = seen["S6-1-80"]
    assert service.client[0]["remote_ip"] == atlas.CLUSTER_IP
    assert service.server[0][HEADER_CONTAINER] == "nginx"
    own = next(line for line in service.kernel if line.startswith("worker-a: ipv4"))
    assert f"dst={atlas.CLUSTER_IP}" in own
    assert len(service.api["endpoints"]) == 3
    assert seen["C2-app"].kernel == ["worker-a: no such connection was tracked"]
    assert seen["S1"].kernel and seen["S1"].api["cluster_ip_after"] == atlas.CLUSTER_IP
    assert any(line.startswith("gateway") or "gateway eth1" in line for line in seen["E2-gateway"].kernel)
    both = {line.split(":")[0] for line in seen["P1-client-1-rest"].kernel}
    assert both == {"worker-a"}, "one node, one entry"
    across = {line.split(":")[0] for line in seen["P1-client-2-rest"].kernel}
    assert across == {"worker-a", "worker-b"}, "both nodes' kernels tell of it"


def test_missing_evidence_leaves_a_gap_with_its_reason() -> None:
    receipt = results(Lies(agents_down=True), "C2-app")["C2-app"].receipt
    assert receipt.gaps == {"kernel": "error dialing backend: EOF"}


@pytest.mark.parametrize(
    ("kind", "lacking"),
    [
        (Expectation, {"judge"}),
        (Check, {"expected", "judge", "work"}),
        (Scenario, {"expected", "judge", "work", "play"}),
    ],
)
def test_what_has_no_judgement_cannot_be_made(kind: type, lacking: set[str]) -> None:
    novel = type("Novel", (kind,), {})
    with pytest.raises(TypeError, match="abstract class Novel"):
        novel()
    assert vars(novel)["__abstractmethods__"] == lacking


def test_a_request_that_expects_nothing_is_never_green() -> None:
    probe = Probe("X", "P1", Client(), Get(Localhost(80), ()))
    made = World()
    (result,) = run([(LAB, probe)], atlas.view(), made, made)
    assert (result.verdict, result.failure) == (I, Failure.NO_JUDGE)


def test_the_worst_finding_wins() -> None:
    bad, open_ = failed(Failure.REFUSED, "x"), inconclusive(Failure.TRANSPORT, "y")
    assert combined([PASSED, open_, bad]) is bad
    assert combined([PASSED, open_]) is open_
    assert combined([PASSED]) is PASSED
    assert combined([PASSED, skipped("z")]).verdict is S
    assert combined([]).verdict is I
