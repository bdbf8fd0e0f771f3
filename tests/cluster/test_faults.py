"""`scripts/faults` on the real cluster: faults noticed and named, crashes repaired, an exercise solved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labs import every_probe
from scripts.cli._breaking import prover_of
from scripts.fault import every_fault
from scripts.fault._base import Site
from scripts.paths import ROOT
from scripts.stack.profile import profile_of
from scripts.stack.variables import environment
from scripts.suite.exercise import choose, fit
from scripts.transport.process import run
from tests.cluster import crashes
from tests.cluster.conftest import Command

PROFILE = profile_of("kind")
SOME = "synack,hairpin,dead,finished"
CRASHES = [*crashes.runners((5, 14)), *crashes.alone((13,)), crashes.OTHERS[3]]


def seed_of(fault: str) -> int:
    """A seed by which an exercise is this fault."""
    names = fit(every_fault(), every_probe(), "")
    return next(n for n in range(1000) if choose(names, n) == fault)


def test_the_stack_is_up(scripts: Command) -> None:
    assert scripts("up", "--no-probe").returncode == 0


def test_faults_are_noticed_named_and_undone(scripts: Command, tmp_path: Path) -> None:
    json_file, junit_file = tmp_path / "faults.json", tmp_path / "faults.xml"
    done = scripts("faults", "-k", SOME, "--json", json_file, "--junit", junit_file)
    assert done.returncode == 0
    assert "4 of 4 noticed, 4 of 4 named, 0 false" in done.stdout
    proof = json.loads(json_file.read_text())
    assert "<testcase" in junit_file.read_text()
    assert {one["id"] for one in proof["faults"]} == {*SOME.split(",")}
    assert all(not one["left"] and not one["still"] for one in proof["faults"])


@pytest.mark.parametrize(
    "one", [*crashes.runners((5, 14)), *crashes.alone((13,)), crashes.OTHERS[3]], ids=str
)
def test_a_crash_is_repaired(one: crashes.Crash) -> None:
    prover = prover_of(PROFILE)
    _, left = crashes.crash(prover, one, prover.fingerprint())
    assert left == []


def test_an_exercise_is_solved_by_what_it_reveals(scripts: Command) -> None:
    try:
        begun = scripts("faults", "--exercise", "--seed", str(seed_of("synack")))
        assert begun.returncode == 0 and "synack" not in begun.stdout and "rule_drops" not in begun.stdout
        assert scripts("faults", "--check").returncode == 1
        assert "1. " in scripts("faults", "--hint").stdout
        told = scripts("faults", "--reveal")
        (line,) = (line for line in told.stdout.splitlines() if line.startswith("  docker exec "))
        run(line.split())
        done = scripts("faults", "--check")
        assert done.returncode == 0 and "hold again" in done.stdout
    finally:
        scripts("faults", "--undo")


def test_a_bypass_is_no_solution(scripts: Command) -> None:
    kubectl = [str(ROOT / ".podpath" / "bin" / "kubectl"), "--namespace", "podpath-pitfalls"]
    env = environment("kind")
    change = {
        "spec": {"sessionAffinity": "ClientIP", "ports": [{"name": "nginx", "port": 80, "targetPort": 80}]}
    }
    try:
        assert scripts("faults", "--exercise", "--seed", str(seed_of("unkept"))).returncode == 0
        run([*kubectl, "patch", "service", "sticky", "--type=merge", "-p", json.dumps(change)], env=env)
        run([*kubectl, "scale", "deployment", "server", "--replicas=1"], env=env)
        done = scripts("faults", "--check")
        assert done.returncode == 1
    finally:
        run([*kubectl, "scale", "deployment", "server", "--replicas=2"], env=env)
        scripts("faults", "--undo")
        run([*kubectl, "rollout", "status", "deployment", "server", "--timeout=90s"], env=env)


def test_each_exercise_can_be_solved_by_what_it_reveals() -> None:
    """Every one has commands that a person can type; that they mend it is what proving it shows."""
    prover = prover_of(PROFILE)
    site = prover.site("look")
    for name, fault in every_fault().items():
        at = Site(name, site.view, site.api, site.execute, site.containers)
        typed = [line for act in fault.acts(at) for line in act.repair.by_hand]
        assert fault.harmless or typed, name
