"""The kernel's drop reasons on the real cluster: beside the rules, and nothing stays of watching."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from scripts.cli._breaking import prover_of, watched
from scripts.evidence.dropreasons import INSTANCE, READY, program
from scripts.fault import every_fault
from scripts.runs.document import ReplayRecord
from scripts.runs.draft import Draft
from scripts.stack.lock import lock
from scripts.stack.profile import profile_of
from scripts.suite.dropping import kernels, usable
from scripts.suite.predict import asked
from scripts.suite.prove import Prover
from scripts.suite.run import run
from scripts.transport.background import start
from scripts.transport.executor import Place
from tests.cluster.conftest import Command

PROFILE = profile_of("kind")
LOOK = (
    "[ -d $0/instances ] || mount -t tracefs tracefs $0; ls $0/instances; cat $0/events/skb/kfree_skb/enable"
)
EXPECTED = {"synack": "NETFILTER_DROP", "forwarding_off": "IP_INADDRERRORS", "reverse_path": "IP_RPFILTER"}


def test_the_stack_is_up(scripts: Command) -> None:
    assert scripts("up", "--no-probe").returncode == 0


@pytest.fixture
def prover() -> Iterator[Prover]:
    """What breaks the stack, under its lock; the test is skipped where tracefs may not be read."""
    with lock(PROFILE.cluster, "scripts/probe"), watched(PROFILE):
        prover = prover_of(PROFILE)
        if refused := usable(prover.cluster.look(), prover.cluster.execute)[1]:
            pytest.skip(refused)
        yield prover


def left(place: Place) -> list[str]:
    """The trace instances that there are, and whether the event is on outside of them."""
    argv = ["docker", "exec", place.container, "unshare", "--mount", "sh", "-c", LOOK, "/sys/kernel/tracing"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_reason_stands_beside_the_rules(prover: Prover, name: str) -> None:
    fault, draft = every_fault()[name], Draft({})
    before = prover.fingerprint()
    with prover.injector.applied(name, fault.acts(prover.site(name))):
        view, cluster = prover.cluster.look(), prover.cluster
        probes = asked(fault, prover.every)
        run(probes, view, cluster.api, cluster.execute, [draft], journal=prover.journal, drops=kernels(view))
    assert prover.unlike(before) == []
    replays = [one.receipt.replay for one in draft.document().probes if one.receipt.replay]
    reasons = {drop.reason for replay in replays for drop in replay.dropped}
    assert EXPECTED[name] in reasons, told(replays)
    cause = next(one for one in draft.document().causes if one.kind == fault.cause)
    assert any(EXPECTED[name] in line for line in cause.evidence)
    (place,) = kernels(view).values()
    assert left(place) == ["0"]


def told(replays: list[ReplayRecord]) -> list[str]:
    return [f"{one.last}: {one.dropped}" for one in replays]


def test_a_killed_watcher_is_cleared_away_by_the_next(prover: Prover) -> None:
    execute = prover.cluster.execute
    (place,) = kernels(prover.cluster.look()).values()
    watching = start(execute, place, program("kind"), READY)
    both = 'timeout=$(cat "$0.pid"); kill -9 $(ps -o pid= --ppid $timeout) $timeout'
    execute(place, ["sh", "-c", both, watching.file])
    assert f"{INSTANCE}kind" in left(place)
    start(execute, place, program("kind"), READY).stop()
    assert left(place) == ["0"]
    execute(place, ["rm", "-f", watching.file, f"{watching.file}.err", f"{watching.file}.pid"])
