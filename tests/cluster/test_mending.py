"""What stands and is broken, broken by hand on the default stack: the next command notices and mends it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from scripts.clusters.kind import balancer
from scripts.paths import ROOT
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import profile_of
from scripts.suite.journal import Changes
from scripts.transport.docker import docker
from scripts.waiting import eventually
from tests.cluster.conftest import Command

PROFILE = profile_of("kind")
LAB = ["--namespace", "podpath-pod-to-service"]
WORKER = f"{PROFILE.cluster}-worker"


def test_the_stack_is_up_and_green_at_first(scripts: Command) -> None:
    assert scripts("up").returncode == 0


def delete_pod() -> None:
    kubectl(PROFILE, "--request-timeout=0", *LAB, "delete", "pod", "spare", "--now")


def end_pod() -> None:
    """The kubelet ends it and keeps it as Failed, as it does with a Pod that it evicts."""
    kubectl(PROFILE, *LAB, "patch", "pod", "spare-ready", "--patch", '{"spec": {"activeDeadlineSeconds": 1}}')
    kubectl(
        PROFILE, *LAB, "wait", "pod/spare-ready", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s"
    )


def remove_balancer() -> None:
    ours = docker("ps", "--quiet", "--filter", f"label={balancer.LABEL}={PROFILE.cluster}").split()
    docker("rm", "--force", "--volumes", ours[0])


def flush_rules() -> None:
    docker("exec", WORKER, "iptables", "-t", "nat", "-F")


def pause_node() -> None:
    docker("pause", WORKER)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (delete_pod, "missing from the cluster: Pod spare (namespace podpath-pod-to-service)"),
        (end_pod, "missing from the cluster: Pod spare-ready (namespace podpath-pod-to-service)"),
        (remove_balancer, "start the load balancer afresh"),
        (flush_rules, f"mend the rules of {WORKER}: kube-proxy"),
        (pause_node, f"let {WORKER} go on"),
    ],
)
def test_up_notices_what_is_broken_and_mends_it(
    scripts: Command, damage: Callable[[], None], told: str
) -> None:
    damage()
    done = scripts("up")
    assert done.returncode == 0 and told in done.stderr
    assert "nothing has changed" not in done.stderr, "every claim is judged again"


def app_of(pod: str) -> str:
    return kubectl(PROFILE, *LAB, "get", "pod", pod, "--output", "jsonpath={.metadata.labels.app}")


@pytest.mark.parametrize(
    "command", [["up", "--no-probe"], ["probe", "-k", "C2"], ["trace", "egress/traveller", "outside"]]
)
def test_a_killed_scenario_is_undone_by_the_next_command(scripts: Command, command: list[str]) -> None:
    journal = Changes(PROFILE.folder / "journal.jsonl")
    with subprocess.Popen(
        [str(ROOT / "scripts" / "probe"), "-k", "S7-hangs"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as probing:
        eventually(lambda: len(journal.pending()) == 2, 60, "the spare Pod to hang in the Service")
        os.kill(probing.pid, signal.SIGKILL)
    assert app_of("spare") == "frontend"
    restored = "a run was killed; restored what it had changed: hanging nginx of Pod spare, label app of Pod"
    assert restored in scripts(*command).stderr
    assert app_of("spare") == "spare" and journal.pending() == []


def test_every_claim_holds_after_all_that(scripts: Command) -> None:
    assert scripts("probe").returncode == 0


def test_down_leaves_nothing(scripts: Command) -> None:
    assert scripts("down").returncode == 0
