"""A given cluster, from plain kind: what podpath makes there, what it proves, and that nothing of it is left.

The user that podpath is given has the role that `scripts/rights` prints, and no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.runs.document import ProbeRecord, Run
from scripts.stack.profile import Profile
from tests.cluster import othercluster
from tests.cluster.conftest import Command
from tests.cluster.othercluster import kubectl
from tests.unit.runs import F, I, P, S

GIVEN, RESTRICTED = "kind-given", "kind-restricted"
BRIDGED = {"P3", "P4", "P5"}
"""Claims about the article's bridge, which this Pod network has not."""
LISTED = "pods,services,configmaps,secrets,daemonsets,deployments,serviceaccounts"
SCOPED = "clusterroles,clusterrolebindings,customresourcedefinitions,storageclasses,ingressclasses"


@pytest.fixture(scope="module", autouse=True)
def other(scripts: Command) -> Iterator[None]:
    """The cluster, with its registry; gone afterwards."""
    try:
        othercluster.up()
        othercluster.grant(2, "restricted")
        for stack in (GIVEN, RESTRICTED):
            scripts("down", stack)  # forgets a cluster of an earlier run
        yield
    finally:
        for stack in (GIVEN, RESTRICTED):
            scripts("down", stack)
        othercluster.down()


def theirs() -> dict[str, list[str]]:
    """What is on the cluster that is not ours: its objects by name, and what its nodes have."""
    nodes = kubectl("get", "nodes", "--output", "name").split()
    inside = [
        line
        for line in kubectl("get", LISTED, "--all-namespaces", "--no-headers").splitlines()
        if not line.startswith("podpath-")
    ]
    found = {"objects": [" ".join(line.split()[:2]) for line in inside]}
    found["scoped"] = kubectl("get", SCOPED, "--output", "name").split()
    for node in (name.removeprefix("node/") for name in nodes):
        found[node] = sorted(othercluster.state_of(node))
    return found


def namespaces() -> dict[str, dict[str, str]]:
    """The labels of the namespaces with names of ours."""
    items = json.loads(kubectl("get", "namespaces", "--output", "json"))["items"]
    labels = {item["metadata"]["name"]: item["metadata"]["labels"] for item in items}
    return {name: told for name, told in labels.items() if name.startswith("podpath-")}


def run_of(file: Path) -> dict[str, ProbeRecord]:
    return {one.id: one for one in Run.model_validate_json(file.read_text()).probes}


def features_of(file: Path) -> dict[str, Any]:
    return {one.name: one for one in Run.model_validate_json(file.read_text()).cluster.features}


def test_labs_come_from_the_registry_are_judged_and_leave_nothing(scripts: Command, tmp_path: Path) -> None:
    before = theirs()
    assert scripts("images", "push", GIVEN).returncode == 0
    refused = scripts("up", GIVEN)
    assert refused.returncode == 2 and "context kind-shop, server https://127.0.0.1:" in refused.stderr
    assert namespaces() == {}
    assert scripts("up", GIVEN, "--yes", "--no-probe").returncode == 0
    owner = Profile(GIVEN).owner
    for labels in namespaces().values():
        assert owner.items() <= labels.items() and labels["podpath/run"]
    scripts("probe", GIVEN, "--json", tmp_path / "run.json")
    records = run_of(tmp_path / "run.json")
    assert {one.claim for one in records.values() if one.verdict is F} == BRIDGED
    assert not [one for one in records.values() if one.verdict is I]
    assert records["F1-1"].why == "needs the fence: podpath fences no cluster that it did not make"
    assert records["I2-80"].why == "this stack has no world outside the cluster"
    assert {records[id].verdict for id in ("S6-1-80", "S8-use", "S8-unknown")} == {P}
    shown = features_of(tmp_path / "run.json")
    assert shown["Pod datapath"].reason.startswith("ptp on ") and shown["between nodes"].there
    assert scripts("up", RESTRICTED, "--yes").returncode == 3, "another stack's namespaces are left alone"
    down = scripts("down", GIVEN)
    assert down.returncode == 0 and "Certified: no namespace, object or stack" in down.stdout
    assert namespaces() == {} and theirs() == before


def test_without_rights_client_server_and_api_judge(scripts: Command, tmp_path: Path) -> None:
    assert scripts("images", "push", RESTRICTED).returncode == 0
    up = scripts("up", RESTRICTED, "--yes", "--no-probe")
    assert up.returncode == 0, up.stderr
    levels = {labels["pod-security.kubernetes.io/enforce"] for labels in namespaces().values()}
    assert levels == {"restricted"}
    assert scripts("probe", RESTRICTED, "--json", tmp_path / "run.json").returncode == 0
    records = run_of(tmp_path / "run.json")
    assert {one.verdict for one in records.values()} == {P, S}
    assert records["S6-1-80"].why == "needs tier 3 (kernel view)"
    assert "the kernel's view is missing (rights: none)" in str(records["P1-client-1-rest"].why)
    assert not features_of(tmp_path / "run.json")["kernel view"].there
    assert scripts("down", RESTRICTED).returncode == 0 and namespaces() == {}


def test_a_registry_and_a_cluster_that_are_gone_are_one_sentence_each(scripts: Command) -> None:
    with othercluster.gone(othercluster.REGISTRY):
        push = scripts("images", "push", GIVEN)
    assert push.returncode == 3 and "it does not answer" in push.stderr.splitlines()[-1]
    with othercluster.gone(f"{othercluster.NAME}-control-plane"):
        doctor, up = scripts("doctor", GIVEN), scripts("up", GIVEN, "--yes")
    assert doctor.returncode == 3 and "does not answer at" in " ".join(doctor.stdout.split())
    assert up.returncode == 3 and "the cluster of stack kind-given does not answer at" in up.stderr
