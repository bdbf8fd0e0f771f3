"""Which probes are asked: those that a filter names, never without the controls that they need."""

from __future__ import annotations

import pytest

from labs import every_probe, probes_of
from labs.claims import CLAIMS, DOORS
from scripts.errors import UsageError
from scripts.suite.choose import chosen, of_claims

EVERY = every_probe()


def ids(lab: str = "", text: str = "") -> set[str]:
    return {probe.id for _, probe in chosen(EVERY, lab, text)}


def test_filters_bring_the_controls_along() -> None:
    assert ids(text="F1-1") == {"F1-1", "S6-1-80"}
    assert {"C4-alive", "C4-reach-1"} <= ids(text="C4-pod-8080")
    assert ids("ingress-l7") == {probe.id for probe in probes_of("ingress-l7")}
    assert ids(text="S7-ready") == {"S7-ready", "S7-hangs", "S6-1-80", "S2-1", "S4", "S9-force"}
    assert ids(text="I5-skips") == {"I5-skips", "I5-local", "I6-without"}


def test_filters_are_of_any_case_and_read_sentences() -> None:
    assert ids(text="SHOP.podpath") == {"I7-shop", "I10-forwarded", "I10-plain", "I12-shop"}


def test_what_nobody_has_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="choose from container-to-container"):
        chosen(EVERY, "nope", "")
    with pytest.raises(UsageError, match="no probe has 'zzz'"):
        chosen(EVERY, "", "zzz")


def test_no_filter_leaves_all_in_their_order() -> None:
    assert tuple(chosen(EVERY, "", "")) == EVERY


def test_an_id_or_a_claim_means_just_that_one() -> None:
    assert ids(text="p6") == {"P6"}, "also where a sentence has it"
    assert ids(text="c2") == {probe.id for _, probe in EVERY if probe.claim == "C2"}
    assert ids(text="S8") == {probe.id for _, probe in EVERY if probe.claim == "S8"}
    assert not any(id.startswith("S10") for id in ids(text="S1"))


def test_a_filter_of_a_lab_looks_nowhere_else() -> None:
    with pytest.raises(UsageError, match="no probe has 'C2-app'"):
        chosen(EVERY, "egress", "C2-app")


def test_the_probes_of_claims_bring_their_controls_along() -> None:
    assert {probe.id for _, probe in of_claims(EVERY, {"I9"})} >= {"I9-host", "I9-path"}
    doors = of_claims(EVERY, DOORS)
    assert {*DOORS} <= {probe.claim for _, probe in doors} < {*CLAIMS}
    there = {probe.id for _, probe in doors}
    assert all({*probe.controls} <= there for _, probe in doors)
    assert [pair for pair in EVERY if pair in doors] == doors
