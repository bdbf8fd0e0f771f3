"""Lying instruments: whatever an executor makes up, no probe passes; nor does silence on a null cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest

from labs import every_probe
from scripts.checks.verdict import Failure, Verdict
from scripts.runs.document import ProbeRecord
from scripts.transport.executor import CompletedExec, Place
from tests.contract.rules import negative
from tests.worlds import mutants
from tests.worlds.mutants import lying
from tests.worlds.test_replay import stale
from tests.worlds.world import World, loaded, replay, replayed

NONCES = re.compile(rb"[0-9a-f]{8}(?=\.\d+\b)|^[0-9a-f]{16}(?= )", re.MULTILINE)
NEGATIVE = {probe.id for _, probe in every_probe() if negative(probe)}


def green() -> World:
    return loaded("kind")


def mute(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """It says nothing, not even how the program ended."""
    return replace(done, stdout=b"", stderr=b"", returncode=None)


def cut(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """Of everything that was printed only the beginning arrives, and it claims success."""
    return replace(done, stdout=done.stdout[:64], returncode=0)


def half(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """The second half is lost: some answers are whole."""
    return replace(done, stdout=done.stdout[: len(done.stdout) // 2], returncode=0)


def of_another(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """It answers for other requests and other commands: every nonce and every boundary is another one."""
    return replace(done, stdout=NONCES.sub(b"00000000", done.stdout))


def passed(change: mutants.Edit) -> set[str]:
    run, _ = replay(green(), change=lying(change))
    assert {one.id for one in run.probes} == {*green().probes} & {probe.id for _, probe in every_probe()}
    return {one.id for one in run.probes if one.verdict is Verdict.PASSED}


def test_the_honest_executor_proves_something() -> None:
    run, replayer = replayed("kind")
    red = {one.id for one in run.probes if one.verdict is not Verdict.PASSED and one.failure}
    assert red <= stale(green(), replayer)


@pytest.mark.parametrize("lie", [mute, mutants.silent, cut, of_another])
def test_no_probe_passes_with_an_executor_that_lies(lie: mutants.Edit) -> None:
    assert passed(lie) == set()


def test_no_probe_passes_with_what_the_last_run_printed() -> None:
    yesterday = mutants.Yesterday()
    replay(green(), change=yesterday.taking)
    run, _ = replay(green(), change=yesterday.giving, seed="another")
    assert [one.id for one in run.probes if one.verdict is Verdict.PASSED] == []


def test_what_is_lost_is_open_and_never_red() -> None:
    run, _ = replay(green(), change=lying(half))
    assert [(one.id, one.why) for one in run.probes if one.verdict is Verdict.FAILED] == []
    assert len([one for one in run.probes if one.verdict is Verdict.INCONCLUSIVE]) > len(run.probes) / 2


# --- the null cluster -------------------------------------------------------------------------------------


def null() -> World:
    """The green world with every lab scaled to nothing: no Pod of a lab, no endpoint, nobody who answers."""
    world = deepcopy(green())
    nodes, pods, services, slices, *others = world.lists
    kept = [pod for pod in pods if not _in_a_lab(pod)]
    empty = [{**one, "endpoints": []} if _in_a_lab(one) else one for one in slices]
    world.lists = [nodes, kept, services, empty, *others]
    return world


def _in_a_lab(item: dict[str, dict[str, str]]) -> bool:
    namespace = item["metadata"]["namespace"]
    return namespace.startswith("podpath-") and namespace != "podpath-system"


def test_on_a_null_cluster_no_negative_probe_passes() -> None:
    run, _ = replay(null())
    asked = [one for one in run.probes if one.id in NEGATIVE]
    assert len(asked) >= 14
    assert {one.id: one.why for one in asked if one.verdict is Verdict.PASSED} == {}


def test_silence_is_open_and_not_red_where_its_control_is_silent_too() -> None:
    run, _ = replay(null())
    found: dict[str, ProbeRecord] = {one.id: one for one in run.probes}
    for id in ("F1-1", "F1-2"):
        assert (found[id].verdict, found[id].failure) == (Verdict.INCONCLUSIVE, Failure.CONTROL_FAILED), id
