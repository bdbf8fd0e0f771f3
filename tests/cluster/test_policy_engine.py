"""A stack whose nodes run a NetworkPolicy engine: denial is seen, told with its rule, and timed."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.clusters.kind.life import leftovers
from scripts.stack.profile import profile_of
from tests.cluster.conftest import Command
from tests.cluster.test_life import EXPECTED, verdicts_of

STACK = "kind-policy"


def test_what_a_policy_denies_is_denied_by_the_engine_and_named(scripts: Command, tmp_path: Path) -> None:
    """All other claims end as on `kind`; a policy that closes Pods is the cause of what it turns red."""
    report, faults = tmp_path / "run.json", tmp_path / "faults.json"
    try:
        assert scripts("up", STACK, "--no-probe").returncode == 0
        assert scripts("probe", STACK, "--json", report).returncode == 0
        doctor = scripts("doctor", STACK).stdout
        assert scripts("faults", STACK, "-k", "policy_closes", "--json", faults).returncode == 0
    finally:
        assert scripts("down", STACK).returncode == 0
    assert leftovers(profile_of(STACK)) == []
    run = json.loads(report.read_text())
    assert verdicts_of(run) == EXPECTED
    why = {probe["id"]: probe["why"] for probe in run["probes"]}
    denied = [why[f"K8-denied-{n}-{where}"] for n in (1, 2) for where in ("same", "other")]
    assert all("enforced by kube-router; podpath-policy-worker" in told for told in denied), denied
    assert all("rule to REJECT traffic destined for POD name:guarded-" in told for told in denied), denied
    assert why["K8-follows"].startswith("kube-router let the client in after "), why["K8-follows"]
    assert "NetworkPolicy engine kube-router, on every node" in " ".join(doctor.split())
    (fault,) = json.loads(faults.read_text())["faults"]
    assert fault["named"][0]["kind"] == "policy_denies" and not fault["left"]
