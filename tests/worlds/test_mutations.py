"""Small changes to what Linux really printed: the probe that depends on them must notice."""

from __future__ import annotations

import re

import pytest

from scripts.checks.verdict import Verdict
from scripts.evidence.identity import (
    HEADER_CONTAINER,
    HEADER_FORWARDED_FOR,
    HEADER_NODE,
    HEADER_NONCE,
    HEADER_PEER,
    HEADER_POD,
    HEADER_UPSTREAM_PEER,
)
from tests.worlds import mutants
from tests.worlds.mutants import (
    lying,
    only_at,
    printing,
    with_header,
    with_rules_of,
    with_text,
    without_lines,
)
from tests.worlds.world import Change, World, loaded, replay

HONEST: Change = lambda execute: execute  # noqa: E731
F, I = "failed", "inconclusive"  # noqa: E741
TRACED = ("P4-frontend-rest", "P5-database-rest", "E1-trace", "E2-gateway", "I3-trace", "I4-balancer")


def green() -> World:
    return loaded("kind")


def changed(ids: str, change: Change) -> dict[str, tuple[str, str]]:
    """The verdicts of these probes in the green world, with a change."""
    run, _ = replay(green(), ids, change)
    return {one.id: (one.verdict.value, one.failure or "") for one in run.probes}


def port_of(probe: str) -> int:
    """The client's port of a probe's request, as recorded."""
    run, _ = replay(green(), probe)
    return int(run.probes[0].receipt.client[0]["local_port"])


HEADERS = [
    ("C2-app", HEADER_POD, "somebody", F, "wrong-responder"),
    ("C2-app", HEADER_CONTAINER, "nginx", F, "wrong-responder"),
    ("P1-client-1-rest", HEADER_NODE, "podpath-control-plane", F, "wrong-responder"),
    ("P1-client-1-rest", HEADER_PEER, "10.244.1.1:40000", F, "wrong-source"),
    ("S6-1-80", HEADER_POD, "somebody", F, "wrong-responder"),
    ("S6-1-80", HEADER_NONCE, "S6-1-80.00000000.0", F, "wrong-nonce"),
    ("S6-1-80", HEADER_NONCE, "", F, "wrong-nonce"),
    ("C2-proxy", HEADER_UPSTREAM_PEER, "10.244.1.1:40000", F, "wrong-source"),
    ("E1-client-1", HEADER_PEER, "10.244.1.99:40000", F, "wrong-source"),
    ("I7-shop", HEADER_POD, "blog", F, "wrong-responder"),
    ("I10-forwarded", HEADER_FORWARDED_FOR, "10.244.1.1", F, "wrong-source"),
]


@pytest.mark.parametrize(("probe", "header", "value", "verdict", "failure"), HEADERS)
def test_a_false_header_is_noticed(probe: str, header: str, value: str, verdict: str, failure: str) -> None:
    assert changed(probe, with_header(probe, header, value))[probe] == (verdict, failure)


@pytest.mark.parametrize(
    ("probe", "verdict", "failure"),
    [
        ("S6-1-80", F, "no-translation"),
        ("P1-client-1-rest", I, "no-evidence"),
        ("E1-client-1", F, "no-translation"),
    ],
)
def test_a_connection_that_was_not_tracked_is_missed(probe: str, verdict: str, failure: str) -> None:
    assert changed(probe, HONEST)[probe] == ("passed", "")
    assert changed(probe, without_lines(rf"\bsport={port_of(probe)}\b"))[probe] == (verdict, failure)


def test_a_translation_that_did_not_take_place_is_missed() -> None:
    untranslated = with_text(
        r"src=10\.244\S+ (dst=10\.244\S+ sport=\d+ dport=(?!53 )\d+ \[)", r"src=10.96.0.9 \1"
    )
    assert changed("S6-1-80", untranslated)["S6-1-80"][0] != "passed"


RULES = "S2-1 S2-2 S4"
"""The probes that read the rules of a node."""
SHIFTED = "--probability 0.9"


def test_every_node_has_the_same_rules_for_a_service() -> None:
    one, other = (node.name for node in green().view.snapshot.workers)
    seen = changed(RULES, with_rules_of(green(), one, other))
    assert {*seen.values()} == {("passed", "")}


def test_a_node_whose_rules_lack_a_pod_is_named() -> None:
    one, _ = (node.name for node in green().view.snapshot.workers)
    pod = green().view.endpoints("pod-to-service", "frontend")[0]
    lacking = without_lines(rf"^\S+ -A KUBE-S(?:VC|EP)-.*{re.escape(pod.ip)}:80\b")
    assert changed("S4", only_at(green().view.agent(one), lacking))["S4"] == (F, "tables-differ")


def test_shares_that_the_rules_do_not_give_are_noticed() -> None:
    one, _ = (node.name for node in green().view.snapshot.workers)
    seen = changed(RULES, only_at(green().view.agent(one), with_text(r"--probability 0\.5\d*", SHIFTED)))
    assert seen == {"S2-1": (F, "not-balanced"), "S2-2": ("passed", ""), "S4": (F, "tables-differ")}


def test_a_frame_that_is_cut_is_not_read() -> None:
    seen = changed("C1 C3 S8-service S9-force", printing(mutants.cut))
    assert (I, "lost-exit-code") in seen.values()
    assert all(verdict == "passed" or failure == "lost-exit-code" for verdict, failure in seen.values())


def test_a_capture_that_is_cut_proves_nothing() -> None:
    seen = changed(" ".join(TRACED), printing(mutants.shortened))
    assert {*seen.values()} == {(I, "no-evidence")} and len(seen) == len(TRACED)


@pytest.mark.parametrize("edit", [mutants.silent, mutants.unreachable])
def test_where_nothing_is_printed_nothing_is_proven(edit: mutants.Edit) -> None:
    run, _ = replay(green(), change=lying(edit))
    assert [one.id for one in run.probes if one.verdict is Verdict.PASSED] == []
    assert [claim.id for claim in run.claims if claim.verdict == "proven"] == []


@pytest.mark.parametrize("edit", [mutants.endless, mutants.doubled])
def test_an_answer_that_cannot_be_believed_is_not(edit: mutants.Edit) -> None:
    seen = changed("S6-1-80 P1-client-1-rest C4-alive C4-pod-80 F1-1 I9-host", lying(edit))
    assert {verdict for verdict, _ in seen.values()} == {I}


def test_what_another_run_printed_proves_nothing() -> None:
    yesterday = mutants.Yesterday()
    replay(green(), change=yesterday.taking)
    run, _ = replay(green(), change=yesterday.giving, seed="another")
    assert [one.id for one in run.probes if one.verdict is Verdict.PASSED] == []
    assert [one.id for one in run.probes if one.verdict is Verdict.FAILED] == []


@pytest.mark.parametrize(("name", "seed"), [("synack", 1), ("dead", 2), ("dns", 3)])
def test_no_red_probe_passes_because_evidence_is_lost(name: str, seed: int) -> None:
    world = loaded(name)
    run, _ = replay(world, change=printing(mutants.losing(seed, 0.2)))
    passed = {one.id for one in run.probes if one.verdict is Verdict.PASSED}
    assert passed <= {id for id, (verdict, _) in world.probes.items() if verdict == "passed"}
