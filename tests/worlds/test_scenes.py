"""In what was recorded under each fault its cause is found again, alone and with another fault beside it."""

from __future__ import annotations

import lzma
from functools import cache

import pytest

from scripts.fault import every_fault
from tests.worlds.record_scenes import PAIRS
from tests.worlds.scene import FOLDER, SUFFIX, TOGETHER, load, names, told_in
from tests.worlds.test_replay import PRIVATE

MOST = 200 << 10
"""Octets that a scene's file may have."""
FAULTS = every_fault()
ALONE = [name for name in names() if TOGETHER not in name]
BOTH = [name for name in names() if TOGETHER in name]

each = pytest.mark.parametrize("name", names(), scope="module")
"""Of module scope: all tests of a scene follow each other, so that one process reads it."""


@cache
def named(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kinds of the causes that are told of a scene, but for warnings, and of those that were recorded."""
    recorded = load(name)
    return tuple(cause.kind for cause in told_in(recorded.scene)[0]), recorded.named


def first(name: str) -> tuple[str, ...]:
    """The kinds of the causes that are told of a scene now, in their order."""
    return named(name)[0]


def test_every_fault_that_breaks_something_and_every_pair_has_a_scene() -> None:
    assert {*ALONE} == {name for name, fault in FAULTS.items() if not fault.harmless}
    assert {*BOTH} == {*PAIRS}


@each
def test_the_causes_that_were_told_are_told_again(name: str) -> None:
    told, recorded = named(name)
    assert told == recorded


@pytest.mark.parametrize("name", ALONE, scope="module")
def test_the_cause_of_a_fault_comes_first(name: str) -> None:
    assert first(name)[:1] == (FAULTS[name].cause,)


@pytest.mark.parametrize("name", BOTH, scope="module")
def test_of_two_faults_at_once_both_are_named(name: str) -> None:
    assert {FAULTS[one].cause for one in name.split(TOGETHER)} <= {*first(name)}


@each
def test_a_scene_is_small_and_does_not_identify_its_machine(name: str) -> None:
    packed = (FOLDER / f"{name}{SUFFIX}").read_bytes()
    assert len(packed) <= MOST
    text = lzma.decompress(packed).decode()
    assert [word for word in PRIVATE if word in text] == []
