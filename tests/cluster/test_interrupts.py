"""Ctrl-C in each phase of `scripts/up`; each run starts from what the one before left half-made."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.clusters.kind import nodes as cluster
from scripts.paths import ROOT
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import profile_of
from scripts.waiting import eventually
from tests.cluster.conftest import Command

PROFILE = profile_of("kind")
DEADLINE = 600
"""Until the phase is reached, in seconds: tools and images may have to be built first."""


def nodes_are_made(told: str) -> bool:
    return "create cluster" not in told and bool(cluster.nodes_of(PROFILE.cluster))


def the_cluster_is_made(told: str) -> bool:
    return "✓ create cluster" in told


def objects_are_made(told: str) -> bool:
    if "✓ raise the fence" not in told:
        return False
    listed = kubectl(PROFILE, "get", "pods", "--all-namespaces", "--output", "name", check=False)
    return "pod/frontend" in listed


def probes_are_asked(told: str) -> bool:
    return "up after" in told


def test_the_stack_is_down_at_first(scripts: Command) -> None:
    assert scripts("down").returncode == 0


@pytest.mark.parametrize("reached", [nodes_are_made, the_cluster_is_made, objects_are_made, probes_are_asked])
def test_an_interrupt_is_one_sentence_and_the_next_up_goes_on(
    reached: Callable[[str], bool], tmp_path: Path
) -> None:
    errors = tmp_path / "stderr"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [str(ROOT / "scripts" / "up")],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as up,
    ):

        def ripe() -> bool:
            assert up.poll() is None, errors.read_text()
            return reached(errors.read_text())

        eventually(ripe, DEADLINE, reached.__name__)
        os.killpg(up.pid, signal.SIGINT)  # as a terminal does: kind and pulumi hear it, too
        up.wait(timeout=120)
    told = errors.read_text()
    assert up.returncode in (130, -signal.SIGINT), told  # to a shell both are 130; Python chooses
    assert "Traceback" not in told
    assert [line for line in told.splitlines() if line.startswith("podpath: ")] == [
        "podpath: interrupted; run scripts/up again to continue from here."
    ]


def test_down_takes_away_what_an_interrupted_up_has_made(scripts: Command) -> None:
    done = scripts("down")
    assert done.returncode == 0 and "Certified" in done.stdout
    assert not cluster.nodes_of(PROFILE.cluster)
