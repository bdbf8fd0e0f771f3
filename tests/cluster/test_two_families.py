"""A stack whose nodes, Pods and Services have an address of each family: each is judged by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.checks.twins import SUFFIX
from scripts.clusters.kind.life import leftovers
from scripts.stack.profile import profile_of
from scripts.transport.docker import docker
from tests.cluster.conftest import Command
from tests.cluster.test_life import EXPECTED, verdicts_of

STACK, NODE = "kind-dual", "podpath-dual-worker2"
DROP = ("FORWARD", "-i", "eth0", "-p", "tcp", "--dport", "80", "-j", "DROP")


def test_each_family_is_judged_by_itself(scripts: Command, tmp_path: Path) -> None:
    def probed(name: str, *more: str) -> tuple[int, dict[str, Any]]:
        report = tmp_path / f"{name}.json"
        code = scripts("probe", STACK, "--json", report, *more).returncode
        return code, json.loads(report.read_text())

    try:
        assert scripts("up", STACK, "--no-probe").returncode == 0
        code, green = probed("green")
        traced = scripts("trace", "client-1", "pod-to-service/service/frontend:80", STACK, "--ipv6")
        docker("exec", NODE, "ip6tables", "-I", *DROP)
        try:
            broken, red = probed("red", "-k", "P1")
        finally:
            docker("exec", NODE, "ip6tables", "-D", *DROP)
    finally:
        assert scripts("down", STACK).returncode == 0
    assert leftovers(profile_of(STACK)) == []
    assert (code, verdicts_of(green)) == (0, EXPECTED)
    six = {one["id"]: one["verdict"] for one in green["probes"] if one["id"].endswith(SUFFIX)}
    assert len(six) >= 30 and {*six.values()} == {"passed"}
    assert traced.returncode == 0 and "KUBE-SVC-" in traced.stdout
    assert "--to-destination [fd00:10:244:" in traced.stdout, traced.stdout
    failed = {one["id"] for one in red["probes"] if one["verdict"] == "failed"}
    assert broken == 1 and failed and all(id.endswith(SUFFIX) for id in failed), failed
    (cause,) = red["causes"]
    assert (cause["kind"], cause["node"], {*cause["explains"]}) == ("rule_drops", NODE, failed)
    assert "ip6tables -t filter -D FORWARD 1" in cause["mend"]
