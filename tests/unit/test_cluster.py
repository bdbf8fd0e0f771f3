"""The cluster's parts that need no Docker."""

from __future__ import annotations

import json
import subprocess
import sys
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.cluster import fence
from scripts.cluster.cluster import _reason, control_plane, kind_config
from scripts.cluster.engine import lacks_sys_resource
from scripts.cluster.profile import Profile, profile_of, stacks
from scripts.errors import UsageError
from scripts.paths import ROOT

FULL = "Name:\tx\nCapBnd:\t000001ffffffffff\n"
WITHOUT = "Name:\tx\nCapBnd:\t000001fffeffffff\n"


def test_the_missing_capability_is_seen() -> None:
    assert lacks_sys_resource(WITHOUT)
    assert not lacks_sys_resource(FULL)


def test_kind_config_is_the_stacks_file_and_quick_controllers_on_a_current_machine() -> None:
    profile = Profile("kind")
    config = yaml.safe_load(kind_config(profile, FULL, cgroup_v2=True))
    (patch,) = config.pop("kubeadmConfigPatches")
    assert config == profile.config
    flags = yaml.safe_load(patch)["controllerManager"]["extraArgs"]
    assert {flag["name"]: flag["value"] for flag in flags} == {"kube-api-qps": "400", "kube-api-burst": "800"}


def test_kind_config_adds_what_an_older_machine_needs() -> None:
    profile = Profile("kind")
    config = yaml.safe_load(kind_config(profile, WITHOUT, cgroup_v2=False))
    assert config["featureGates"] == {"KubeletInUserNamespace": True}
    patches = [yaml.safe_load(patch) for patch in config["kubeadmConfigPatches"]]
    assert {"kind": "KubeletConfiguration", "failCgroupV1": False} in patches
    assert "featureGates" not in profile.config


def test_the_default_stack_is_the_articles_cluster() -> None:
    config = Profile("kind").config
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    assert config["networking"]["kubeProxyMode"] == "iptables"


def test_stacks_can_stand_side_by_side() -> None:
    profiles = [Profile(name) for name in stacks()]
    assert {"kind", "kind-nftables"} <= {profile.stack for profile in profiles}
    for profile in profiles:
        assert profile.settings["podpath:context"] == f"kind-{profile.cluster}"
        assert len(profile.outside_bridge) <= 15, "IFNAMSIZ, with its end"
    for one, other in combinations(profiles, 2):
        assert one.cluster != other.cluster and one.outside_bridge != other.outside_bridge
        assert not IPv4Network(one.outside_range).overlaps(IPv4Network(other.outside_range))


def test_an_unknown_stack_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'nope'.*kind"):
        profile_of("nope")


def test_fence_rejects_service_addresses_and_pod_addresses_of_no_node() -> None:
    rules = fence.node_rules("10.244.0.0/16", "10.96.0.0/16", ["10.244.0.0/24", "10.244.1.0/24"]).splitlines()
    chain = [rule for rule in rules if rule.startswith(f"-A {fence.CHAIN}")]
    assert [rule.split()[3] for rule in chain] == [
        "10.96.0.0/16",
        "10.244.0.0/24",
        "10.244.1.0/24",
        "10.244.0.0/16",
    ]
    assert [rule.split()[5] for rule in chain] == ["REJECT", "RETURN", "RETURN", "REJECT"]
    assert rules[0] == "*filter" and rules[-1] == "COMMIT"
    assert f"-I FORWARD 1 -o eth0 -j {fence.CHAIN}" in rules


@pytest.mark.parametrize("owed", [{"metadata": {"name": "b"}, "spec": {}}, None], ids=["no range", "no node"])
def test_fence_waits_for_the_range_of_every_node(
    monkeypatch: pytest.MonkeyPatch, owed: dict[str, Any] | None
) -> None:
    def node(name: str, cidr: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": {"podCIDR": cidr}}

    late = [node("a", "10.244.0.0/24"), *([owed] if owed else [])]
    seen = iter([late, [node("b", "10.244.2.0/24"), node("a", "10.244.0.0/24")]])
    monkeypatch.setattr(fence, "kubectl", lambda *_: json.dumps({"items": next(seen)}))
    assert fence.pod_ranges(Profile("kind"), ["a", "b"]) is None
    assert fence.pod_ranges(Profile("kind"), ["a", "b"]) == ["10.244.0.0/24", "10.244.2.0/24"]


def test_the_dns_asks_nobody_outside() -> None:
    assert "forward" not in fence.COREFILE
    assert "NXDOMAIN" in fence.COREFILE


def test_control_plane_and_kinds_last_error_are_found() -> None:
    assert control_plane({"x-worker": "", "x-control-plane": ""}) == "x-control-plane"
    assert _reason("Creating\nERROR: failed to create cluster: boom.\n") == "failed to create cluster: boom"
    assert _reason("nothing") == "no error line"


@pytest.mark.parametrize(
    ("argv", "name", "document"),
    [
        (["create", "--bundle", "{folder}", "id"], "config.json", {"process": {"capabilities": {}}}),
        (["--root", "/r", "exec", "--process", "{folder}/p.json", "id"], "p.json", {"capabilities": {}}),
        (["exec", "--process={folder}/p.json", "id"], "p.json", {"capabilities": {}}),
    ],
)
def test_the_runtime_drops_one_capability_and_becomes_runc(
    tmp_path: Path, argv: list[str], name: str, document: dict[str, Any]
) -> None:
    sets = {"bounding": ["CAP_SYS_RESOURCE", "CAP_NET_ADMIN"], "effective": ["CAP_NET_ADMIN"]}
    process = document.get("process", document)
    process["capabilities"] = sets
    (tmp_path / name).write_text(json.dumps(document))
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "runc $*"\n')
    runc.chmod(0o755)
    words = [word.format(folder=tmp_path) for word in argv]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/cluster/oci_runtime.py", *words],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"runc {' '.join(words)}\n"
    written = json.loads((tmp_path / name).read_text())
    capabilities = written.get("process", written)["capabilities"]
    assert capabilities == {"bounding": ["CAP_NET_ADMIN"], "effective": ["CAP_NET_ADMIN"]}
