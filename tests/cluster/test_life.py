"""The life of a stack, in order: refused, up, probed, unchanged, broken, replaced, down, gone.

The tests of this module depend on each other's order; pytest runs a module from top to bottom.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import junitparser
import pytest

from labs.claims import CLAIMS, DOORS
from scripts.clusters.kind import balancer
from scripts.clusters.kind import nodes as cluster
from scripts.clusters.kind.life import leftovers
from scripts.paths import ROOT, STATE
from scripts.stack.kubectl import kubectl
from scripts.stack.profile import profile_of
from scripts.stack.variables import environment
from scripts.transport.docker import docker
from scripts.waiting import eventually
from tests.cluster.conftest import Command
from tests.unit.hostile import HOSTILE

REFUTED = {"S9": "userspace", "E3": "another node", "E5": "every node of the cluster can"}
"""What of the article is not so on this cluster, and a word of what is true instead."""
EXPECTED = {id: "refuted" if id in REFUTED else "proven" for id in CLAIMS}
PROFILE = profile_of("kind")
COMMANDS = [("up", "--no-probe"), ("probe", "-k", "C2"), ("trace", "egress/traveller", "outside")]


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refusal prints."""
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("podpath: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def verdicts_of(run: dict[str, Any]) -> dict[str, str]:
    """The claims' verdicts of a run's JSON."""
    return {claim["id"]: claim["verdict"] for claim in run["claims"]}


@pytest.fixture
def stranger() -> Iterator[str]:
    """A container that looks like a node of somebody else's kind cluster of our name."""
    image = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "podpath/client").split()
    if not image:
        pytest.skip("no image is here yet to play a stranger's node with")
    name = f"{PROFILE.cluster}-control-plane"
    docker(
        "run",
        "--detach",
        "--name",
        name,
        "--label",
        f"{cluster.LABEL}={PROFILE.cluster}",
        "--network",
        "none",
        image[0],
    )
    yield name
    docker("rm", "--force", name)


def test_without_a_cluster_there_is_one_sentence_and_exit_code_3(scripts: Command) -> None:
    assert scripts("down").returncode == 0
    done = scripts("probe")
    assert done.returncode == 3
    assert "scripts/up" in one_sentence(done)


def test_an_outside_range_in_use_is_told_before_anything_is_made(scripts: Command) -> None:
    docker("network", "create", "--subnet", PROFILE.outside_range, "podpath-test-stranger")
    try:
        done = scripts("up")
    finally:
        docker("network", "rm", "podpath-test-stranger")
    assert done.returncode == 3
    assert f"the outside range {PROFILE.outside_range} overlaps the route" in one_sentence(done)
    assert not cluster.nodes_of(PROFILE.cluster)


def test_up_ends_with_a_verdict(scripts: Command) -> None:
    done = scripts("up")
    assert done.returncode == 0
    assert PROFILE.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert (
        not (Path.home() / ".kube" / "config").exists()
        or PROFILE.cluster not in (Path.home() / ".kube/config").read_text()
    )


def test_objects_are_applied_by_the_server() -> None:
    """The provider's fourth generation: fields are owned, and who else writes to them is told."""
    where = [
        "--namespace",
        "podpath-pod-to-service",
        "get",
        "deployment",
        "frontend",
        "--show-managed-fields",
    ]
    fields = json.loads(kubectl(PROFILE, *where, "--output", "json"))["metadata"]["managedFields"]
    appliers = {one["manager"] for one in fields if one["operation"] == "Apply"}
    assert [name for name in appliers if name.startswith("pulumi-kubernetes-")], fields


def test_every_claim_is_judged_with_receipts(scripts: Command, tmp_path: Path) -> None:
    report, junit = tmp_path / "run.json", tmp_path / "run.xml"
    assert scripts("probe", "--json", report, "--junit", junit).returncode == 0
    run = json.loads(report.read_text())
    assert run["schema"] == 3
    assert verdicts_of(run) == EXPECTED
    told = {claim["id"]: claim["told"] for claim in run["claims"] if claim["told"]}
    assert {id: word in told[id] for id, word in REFUTED.items()} == dict.fromkeys(REFUTED, True)
    skipped = {probe["id"] for probe in run["probes"] if probe["verdict"] == "skipped"}
    assert "K8-follows" in skipped and len(skipped) <= 2, "nothing here enforces policies"
    for probe in (one for one in run["probes"] if one["id"] not in skipped):
        assert probe["receipt"]["client"] or probe["receipt"]["kernel"] or probe["receipt"]["api"], probe[
            "id"
        ]
        assert probe["receipt"]["gaps"] == {}, probe["id"]
    suites = junitparser.JUnitXml.fromfile(str(junit))
    assert suites.tests == len(run["probes"]) and suites.failures == suites.errors == 0


def test_a_trace_shows_both_translations_of_the_way_out(scripts: Command) -> None:
    done = scripts("trace", "egress/traveller", "outside")
    assert done.returncode == 0
    request, _, answer = done.stdout.partition("\nanswer\n")
    assert request.count(" SNAT") == 2 and answer.count("reverse SNAT") == 2
    assert "cbr0" in request and "towards the outside" in request


def test_an_unknown_peer_is_one_sentence_with_a_suggestion(scripts: Command) -> None:
    done = scripts("trace", "client-1", "pod-to-servce/service/frontend:80")
    assert done.returncode == 2
    assert "did you mean pod-to-service/service/frontend:80" in one_sentence(done)


def test_an_interrupted_scenario_restores_what_it_changed(scripts: Command) -> None:
    """SIGTERM while a Pod hangs in the Service: afterwards it answers again, outside of the Service."""
    selected = ["--namespace", "podpath-pod-to-service", "get", "pods", "--selector", "app=frontend"]

    def members() -> set[str]:
        return set(kubectl(PROFILE, *selected, "--output", "name").split())

    before = members()
    argv = [str(ROOT / "scripts" / "probe"), "-k", "S7-hangs"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as probing:
        eventually(lambda: "pod/spare" in members(), 60, "the spare Pod to join the Service")
        probing.terminate()
        probing.communicate(timeout=60)
    assert probing.returncode == 130
    assert members() == before
    assert scripts("probe", "-k", "S7-hangs").returncode == 0


def test_two_suites_at_once_do_not_disturb_each_other(scripts: Command) -> None:
    argv = [str(ROOT / "scripts" / "probe"), "-k", "S3"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        second = scripts("probe", "-k", "S3")
        first.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0)


def test_an_agent_that_is_gone_leaves_claims_open_and_no_more(scripts: Command, tmp_path: Path) -> None:
    """Without the kernel's view what rests on it is inconclusive; what does not is judged as ever."""
    agents, report = ["--namespace", "podpath-system"], tmp_path / "run.json"
    absent = '{"spec": {"template": {"spec": {"nodeSelector": {"podpath": "nowhere"}}}}}'
    present = '{"spec": {"template": {"spec": {"nodeSelector": {"podpath": null}}}}}'
    rolled = [*agents, "rollout", "status", "daemonset/node-agent", "--timeout=60s"]
    kubectl(PROFILE, *agents, "patch", "daemonset", "node-agent", "--patch", absent)
    try:
        kubectl(
            PROFILE,
            "--request-timeout=0",
            *agents,
            "wait",
            "--for=delete",
            "pod",
            "--selector=app=node-agent",
        )
        done = scripts("probe", "--lab", "pod-to-pod", "--json", report)
    finally:
        kubectl(PROFILE, *agents, "patch", "daemonset", "node-agent", "--patch", present)
        kubectl(PROFILE, "--request-timeout=0", *rolled)
    assert done.returncode == 1
    claims = verdicts_of(json.loads(report.read_text()))
    assert set(claims.values()) == {"inconclusive"}, claims


def test_an_unchanged_up_changes_nothing(scripts: Command) -> None:
    pulumi = [
        str(STATE / "bin" / "pulumi"),
        "up",
        "--yes",
        "--non-interactive",
        "--skip-preview",
        "--expect-no-changes",
    ]
    done = subprocess.run(
        pulumi, cwd=ROOT, env={**os.environ, **environment("kind")}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "created" not in done.stdout.partition("Resources:")[2]


def test_up_after_a_run_that_was_not_green_judges_every_claim(scripts: Command) -> None:
    done = scripts("up", "--verbose")
    assert done.returncode == 0 and " E1 " in done.stdout
    assert "nothing has changed" not in done.stderr


def test_up_on_an_unchanged_stack_looks_at_the_doors_only(scripts: Command) -> None:
    done = scripts("up", "--verbose")
    assert done.returncode == 0
    assert "nothing has changed since every claim was judged" in done.stderr
    assert all(f"proven         {id} " in done.stdout for id in DOORS), done.stdout
    assert " E1 " not in done.stdout


@pytest.mark.parametrize("argv", COMMANDS, ids=str)
def test_no_variable_of_the_users_breaks_a_command(scripts: Command, argv: tuple[str, ...]) -> None:
    """Among them proxies that lead nowhere, and a passphrase of his own that is for something else."""
    done = scripts(*argv, env={**os.environ, **HOSTILE})
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_service_without_its_pods_is_red_and_says_why(scripts: Command, tmp_path: Path) -> None:
    namespace, report = "podpath-pod-to-service", tmp_path / "run.json"
    patch = ["--namespace", namespace, "patch", "service", "frontend", "--patch"]
    kubectl(PROFILE, *patch, '{"spec": {"selector": {"app": "nobody"}}}')
    try:
        done = scripts("probe", "--lab", "pod-to-service", "-k", "S6", "--json", report)
    finally:
        kubectl(PROFILE, *patch, '{"spec": {"selector": {"app": "frontend"}}}')
    assert done.returncode == 1
    judged = json.loads(report.read_text())["probes"]
    assert judged and all(probe["verdict"] in ("failed", "inconclusive") and probe["why"] for probe in judged)


def test_a_broken_cluster_is_replaced_without_asking(scripts: Command) -> None:
    before = cluster.nodes_of(PROFILE.cluster)
    docker("restart", f"{PROFILE.cluster}-worker")
    assert scripts("up").returncode == 0
    assert set(cluster.nodes_of(PROFILE.cluster).values()).isdisjoint(before.values())


def test_down_leaves_nothing_and_says_so(scripts: Command) -> None:
    done = scripts("down")
    assert done.returncode == 0
    assert "Certified" in done.stdout
    assert leftovers(PROFILE) == []
    assert cluster.nodes_of(PROFILE.cluster) == {}
    assert not balancer.is_running(PROFILE)


def run_on(scripts: Command, stack: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of a probe run on another stack, which is up only meanwhile."""
    report = folder / "run.json"
    try:
        assert scripts("up", stack, "--no-probe").returncode == 0
        code = scripts("probe", stack, "--json", report).returncode
    finally:
        assert scripts("down", stack).returncode == 0
    assert leftovers(profile_of(stack)) == []
    return code, json.loads(report.read_text())


def test_a_cluster_in_nftables_mode_is_judged_alike(scripts: Command, tmp_path: Path) -> None:
    code, run = run_on(scripts, "kind-nftables", tmp_path)
    assert (code, verdicts_of(run)) == (0, EXPECTED)
    (mode,) = (probe["why"] for probe in run["probes"] if probe["id"] == "S9-force")
    assert mode.count("nftables on podpath-nft-") == 3, mode


def test_a_cluster_without_a_bridge_refutes_what_rests_on_one(scripts: Command, tmp_path: Path) -> None:
    code, run = run_on(scripts, "kind-ptp", tmp_path)
    bridged = dict.fromkeys(("P3", "P4", "P5", "E4"), "refuted")
    assert (code, verdicts_of(run)) == (1, EXPECTED | bridged)
    told = {claim["id"]: claim["told"] for claim in run["claims"]}
    assert all("is a port of no bridge and the node routes" in told[id] for id in bridged)


def test_packets_that_cross_in_other_packets_refute_the_routes(scripts: Command, tmp_path: Path) -> None:
    code, run = run_on(scripts, "kind-vxlan", tmp_path)
    assert (code, verdicts_of(run)) == (1, EXPECTED | {"P5": "refuted"})
    (told,) = (claim["told"] for claim in run["claims"] if claim["id"] == "P5")
    assert "flannel.1 out" in told and "go by vxlan" in told


def test_on_one_node_what_needs_two_is_not_applicable(scripts: Command, tmp_path: Path) -> None:
    code, run = run_on(scripts, "kind-single", tmp_path)
    verdicts = verdicts_of(run)
    needing_two = dict.fromkeys(("P5", "P6", "K2"), "not applicable")
    assert (code, {**verdicts, "K3": EXPECTED["K3"]}) == (0, EXPECTED | needing_two | {"E3": "proven"})
    assert verdicts["K3"] in ("proven", "not applicable")  # either of two Pods beside each other may answer
    assert {probe["verdict"] for probe in run["probes"]} == {"passed", "skipped"}


def test_somebody_elses_cluster_is_never_touched(scripts: Command, stranger: str) -> None:
    for command in ("up", "down"):
        done = scripts(command)
        assert done.returncode == 3
        assert "did not make" in one_sentence(done)
        assert docker("inspect", "--format", "{{.State.Running}}", stranger) == "true"


def test_pulumi_up_without_a_cluster_is_one_sentence(scripts: Command) -> None:
    env = {**os.environ, **environment("kind")}
    pulumi = [str(STATE / "bin" / "pulumi")]
    subprocess.run(
        [*pulumi, "stack", "init", "kind", "--non-interactive"],
        cwd=ROOT,
        env=env,
        check=True,
        capture_output=True,
    )
    try:
        done = subprocess.run(
            [*pulumi, "up", "--yes", "--non-interactive"], cwd=ROOT, env=env, capture_output=True, text=True
        )
    finally:
        subprocess.run(
            [*pulumi, "stack", "rm", "--yes", "--preserve-config", "kind"],
            cwd=ROOT,
            env=env,
            check=True,
            capture_output=True,
        )
    assert done.returncode != 0
    assert "scripts/up" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
