"""The cluster's parts that need no Docker."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.build.engine import lacks_sys_resource
from scripts.clusters.kind import nodes
from scripts.clusters.kind.nodes import Marker, _reason, control_plane, kind_config
from scripts.errors import PodpathError, UsageError
from scripts.paths import ROOT
from scripts.stack.profile import Profile, profile_of, stacks

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


def test_kind_never_hears_of_what_podpath_adds_to_its_configuration() -> None:
    profile = Profile("kind-policy")
    assert profile.policy_engine == "kube-router" and not Profile("kind").policy_engine
    config = yaml.safe_load(kind_config(profile, FULL, cgroup_v2=True))
    assert {*profile.config} - {*config} == {"policyEngine"}


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
    profiles = [Profile(name) for name in stacks() if Profile(name).provider == "kind"]
    assert {"kind", "kind-nftables"} <= {profile.stack for profile in profiles}
    for profile in profiles:
        assert profile.settings["podpath:context"] == f"kind-{profile.cluster}"
        assert max(len(profile.bridge), len(profile.outside_bridge)) <= 15, "IFNAMSIZ, with its end"
    names = ("cluster", "network", "outside_network", "fence_table", "host", "gateway", "outside", "near")
    for one, other in combinations(profiles, 2):
        assert {one.bridge, one.outside_bridge}.isdisjoint((other.bridge, other.outside_bridge))
        assert all(getattr(one, name) != getattr(other, name) for name in names)
        assert not IPv4Network(one.outside_range).overlaps(IPv4Network(other.outside_range))


@pytest.mark.parametrize(
    ("cluster", "bridge"),
    [("pp", "pp-net"), ("podpath-own", "podpath-own-net"), ("podpath-of-another", None)],
)
def test_a_bridge_is_named_after_its_cluster_as_far_as_there_is_room(
    cluster: str, bridge: str | None, stack: Profile
) -> None:
    stack.config["name"] = cluster
    assert stack.bridge == bridge or bridge is None
    assert len(stack.bridge) <= 15 and stack.bridge.startswith(cluster[:6])
    assert stack.bridge != stack.outside_bridge


def test_clusters_with_one_long_beginning_have_bridges_of_their_own(stack: Profile) -> None:
    bridges = set()
    for name in ("podpath-of-another", "podpath-of-anothers"):
        stack.config["name"] = name
        bridges |= {stack.bridge, stack.outside_bridge}
    assert len(bridges) == 4


def test_an_unknstack_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'nope'.*kind"):
        profile_of("nope")


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
        [sys.executable, ROOT / "scripts/build/oci_runtime.py", *words],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"runc {' '.join(words)}\n"
    written = json.loads((tmp_path / name).read_text())
    capabilities = written.get("process", written)["capabilities"]
    assert capabilities == {"bounding": ["CAP_NET_ADMIN"], "effective": ["CAP_NET_ADMIN"]}


@pytest.mark.parametrize(
    ("owner", "refused"),
    [(None, False), ("gone", False), ("there", True), ("closed", True)],
)
def test_a_cluster_that_another_checkout_uses_is_left(
    owner: str | None, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout that may not be looked at may well be using it."""
    (tmp_path / "there" / ".podpath").mkdir(parents=True)
    made = {"n1": "2020-07-30T00:00:00Z 172.18.0.2"}
    marker = Marker(str(tmp_path / owner), made, []) if owner else None

    def is_dir(path: Path) -> bool:
        if path.parent.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied")
        return os.path.isdir(path)  # noqa: PTH112

    monkeypatch.setattr(Path, "is_dir", is_dir)
    monkeypatch.setattr(nodes, "docker", lambda *argv, **options: "podpath/node:1")
    monkeypatch.setattr(nodes, "marker_of", lambda nodes: marker)
    try:
        nodes.refuse_strangers(Profile("kind"), made)
    except PodpathError as error:
        assert refused and f"in use by the checkout {tmp_path / str(owner)}: run scripts/down" in str(error)
    else:
        assert not refused


@pytest.mark.parametrize("lost", ["", "kubeconfig", "cluster.json"])
def test_a_cluster_of_which_the_checkout_lost_its_files_is_not_whole(
    lost: str, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"n1": "2020-07-30T00:00:00Z 172.18.0.2"}
    for name in {"kubeconfig", "cluster.json"} - {lost}:
        (stack.folder / name).write_text("{}")
    monkeypatch.setattr(nodes, "marker_of", lambda of: Marker(str(ROOT), made, []))
    monkeypatch.setattr(nodes, "kubectl", lambda *_, **__: "ok")
    assert nodes.is_whole(stack, made) is (not lost)
