"""Sentences of different labs differ wherever labs use the same names."""

from __future__ import annotations

from dataclasses import replace

from labs import every_probe, probes_of
from scripts.checks.alike import told_apart
from scripts.checks.peers import Container

EVERY = dict((probe.id, probe) for _, probe in every_probe())


def test_a_name_that_several_labs_use_is_told_with_its_lab() -> None:
    assert str(EVERY["C2-pod"]).startswith("client-1 asks Pod frontend:80 for /, in container-to-container: ")
    assert EVERY["P1-client-1-frontend"].asked == "client-1 asks Pod frontend:80 for /whoami, in pod-to-pod"
    assert EVERY["S6-1-80"].within == "pod-to-service"


def test_a_name_of_one_lab_alone_is_told_without_it() -> None:
    for id in ("P1-client-1-rest", "I5-local", "E1-trace", "S9-force"):
        assert EVERY[id].within == "" and ", in " not in str(EVERY[id])


def test_no_two_labs_ask_the_same_of_objects_of_the_same_name() -> None:
    asked: dict[str, set[str]] = {}
    for lab, probe in every_probe():
        asked.setdefault(probe.asked, set()).add(lab)
    shared = {text for text, labs in asked.items() if len(labs) > 1}
    assert shared == {"outside asks node 1:10250 for /"}, "a node belongs to no lab"


def test_a_lab_alone_is_told_apart_from_nobody() -> None:
    alone = told_apart(("pod-to-pod", probe) for probe in probes_of("pod-to-pod"))
    assert all(probe.within == "" for _, probe in alone)


def test_a_new_lab_with_known_names_makes_both_say_theirs() -> None:
    probes = [
        (lab, replace(EVERY["E1-trace"], source=Container(lab, "traveller", "x"))) for lab in ("a", "b")
    ]
    assert [probe.within for _, probe in told_apart(probes)] == ["a", "b"]
