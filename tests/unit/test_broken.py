"""What is written down and broken: each is one sentence that says which file, and what to do about it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.build import engine
from scripts.clusters.kind.world import outside_of
from scripts.errors import PodpathError, UsageError
from scripts.fault._base import repair_of
from scripts.paths import STACKS
from scripts.stack import deploy, outputs, state
from scripts.stack.kindconfig import fault_of
from scripts.stack.lock import lock
from scripts.stack.profile import Profile, profile_of, stacks
from scripts.suite.journal import Changes, Journal
from scripts.transport.rest import Rest

GARBAGE = [b"", b"{", b"[]", b"null", b"3", b'"text"', b"\xff\xfe\x00", b"{}", b"\t- x: [\n"]
"""What a file may hold that a crash, a full disk or an editor left."""
KIND = (STACKS / "kind.yaml").read_text()


@pytest.fixture
def own(stack: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """The stack ``own``, as podpath's own ones are."""
    for place in (deploy, state):
        monkeypatch.setattr(place, "STATE", tmp_path / "state")
    (tmp_path / "own.yaml").write_text(KIND)
    return stack


@pytest.mark.parametrize("stack", stacks())
def test_our_own_stacks_are_right(stack: str) -> None:
    assert profile_of(stack).cluster


@pytest.mark.parametrize("file", ["own.yaml", "Pulumi.own.yaml"])
@pytest.mark.parametrize("data", GARBAGE)
def test_a_stacks_broken_file_is_a_usage_error_that_names_it(
    file: str, data: bytes, own: Profile, tmp_path: Path
) -> None:
    (tmp_path / file).write_bytes(data)
    if file == "Pulumi.own.yaml" and data in (b"", b"null", b"{}"):
        assert profile_of("own").settings == {}
        return
    with pytest.raises(UsageError, match=rf"stacks/{file} ") as raised:
        profile_of("own")
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: podpath", "", "`name` is '': write a name of small letters"),
        ("name: podpath", "name: Pod_Path", "`name` is 'Pod_Path': write a name"),
        ("name: podpath", "name: 3", "`name` is 3: write a text"),
        ("name: podpath", "name: a/b", "`name` is 'a/b': write a name"),
        (KIND, "[]", "holds a list and no mapping"),
        ("networking:", "networking: {}\nold:", "`old` is unknown: choose from kind, "),
        ("  podSubnet: 10.244.0.0/16", "", "`networking.podSubnet` is '': write an address range"),
        ("podSubnet: 10.244.0.0/16", "podSubnet: 10.244", "`networking.podSubnet` is 10.244: write a text"),
        ("podSubnet: 10.244.0.0/16", "podSubnet: 10.244.0.1/16", "'10.244.0.1/16': write an address range"),
        ("podSubnet: 10.244", "podSubnet: fd00::/56,10.244", "write an IPv4 range, or `ipFamily: dual`"),
        ("ipFamily: ipv4", "ipFamily: dual", "'10.244.0.0/16': write an IPv4 and an IPv6 range"),
        ("ipFamily: ipv4", "ipFamily: ipv6", "`networking.ipFamily` is 'ipv6': write ipv4 or dual"),
        ("serviceSubnet", "servicesubnet", "`networking.servicesubnet` is unknown: choose from ipFamily"),
        ("  - role: control-plane\n", "", "`nodes` has no node with the role control-plane"),
        ("role: control-plane", "role: master", "`nodes[0].role` is 'master': write control-plane or worker"),
        ("- role: worker", "- worker", "`nodes` holds 'worker': write each node as `- role: worker`"),
        ("- role: worker", "- {role: worker, ram: 3}", "`nodes[1].ram` is unknown: choose from role, image"),
        ("nodes:", "policyEngine: calico\nnodes:", "`policyEngine` is 'calico': write kube-router"),
        ("nodes:", "nodes: 3\nfeatureGates:", "`nodes` is 3: write a list"),
        ("kind: Cluster", "kind: Cluster\n\tname: x", r"is no YAML (line 4: found character '\t' that"),
        (
            "kind: Cluster",
            "provider: minikube",
            "provider in stacks/own.yaml is 'minikube': write one of given, kind",
        ),
    ],
)
def test_a_fault_of_a_kind_configuration_is_told_before_anything_is_made(
    old: str, new: str, said: str, own: Profile, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(KIND.replace(old, new))
    with pytest.raises(UsageError) as raised:
        profile_of("own")
    assert said in str(raised.value) and "own.yaml" in str(raised.value)


def test_what_kind_itself_knows_is_no_fault() -> None:
    mount = {"hostPath": "a", "containerPath": "/b"}
    node = {"role": "worker", "labels": {"a": "b"}, "extraMounts": [mount], "kubeadmConfigPatches": ["x"]}
    both = {
        "ipFamily": "dual",
        "podSubnet": "10.1.0.0/16,fd00::/56",
        "serviceSubnet": "10.2.0.0/16, fd01::/112",
    }
    whole = {"name": "a", "nodes": [{}, node], "networking": {**both, "apiServerPort": 6443}}
    assert fault_of({**whole, "featureGates": {"A": True}}) == ""
    assert fault_of({**whole, "networking": {**both, "apiServerPort": True}})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("config: []", None),
        ("config: [1]", "has [1] under `config`: write settings there"),
        ("config: {podpath:outsideRnage: 1}", "sets 'podpath:outsideRnage': podpath knows podpath:context, "),
        ("config: {other:thing: 1}", None),
    ],
)
def test_a_setting_that_podpath_does_not_know_is_told(
    settings: str, said: str | None, own: Profile, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.own.yaml").write_text(settings)
    if said is None:
        assert profile_of("own")
        return
    with pytest.raises(UsageError) as raised:
        profile_of("own")
    assert said in str(raised.value)


def test_a_configuration_that_is_missing_is_told(own: Profile, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").unlink()
    with pytest.raises(UsageError, match=r"stacks/own\.yaml is missing: write it, or remove Pulumi\.own"):
        profile_of("own")


# --- .podpath -------------------------------------------------------------------------------------


def kept(own: Profile, data: bytes, name: str = "kind") -> Path:
    """The stack's state file."""
    file = state.state_file(own)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(
    "data", [one for one in GARBAGE if one != b"{}"] + [b'{"checkpoint": 3}', b'{"a": 1}']
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_state_that_cannot_be_read_is_told_and_never_lost(
    data: bytes, pack: Callable[[bytes], bytes], own: Profile
) -> None:
    file = kept(own, b"{}")
    if pack is gzip.compress:
        file.unlink()
        file = file.with_name(f"{file.name}.gz")
        file.write_bytes(gzip.compress(data)[: -5 or None])
    else:
        file.write_bytes(data)
    with pytest.raises(PodpathError, match=r"state .* cannot be read \(\w+\): put Pulumi's copy .*\.bak in"):
        state.read_state(own)
    deploy.fresh_stack(own)
    assert not state.state_file(own).exists()
    assert file.with_name(f"{file.name}.unreadable").exists()


@pytest.mark.parametrize("data", GARBAGE)
def test_broken_outputs_are_asked_for_again(
    data: bytes, own: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(own, b'{"checkpoint": {}}')
    (own.folder / "exports.json").write_bytes(data)
    monkeypatch.setattr(outputs, "read_exports", lambda profile: '{"labs": {"egress": {}}}')
    assert outputs.outputs_of(own) == {"labs": {"egress": {}}}
    monkeypatch.setattr(outputs, "read_exports", lambda profile: "{}")
    with pytest.raises(PodpathError, match=r"no labs deployed: run scripts/up own\."):
        outputs.outputs_of(own)


@pytest.mark.parametrize("data", GARBAGE)
def test_a_broken_kubeconfig_is_told(data: bytes, own: Profile) -> None:
    own.kubeconfig.write_bytes(data)
    with pytest.raises(PodpathError, match=r"kubeconfig \S+ is damaged \(\w+\): run scripts/up own, which"):
        Rest(own.kubeconfig, own.stack)


@pytest.mark.parametrize("data", GARBAGE)
def test_what_podpath_can_do_without_is_borne(
    data: bytes, own: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journals, records of engines and holders, and Pulumi's locks; a world outside is told."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    journal, dead = own.folder / "journal.jsonl", tmp_path / "state/state/.pulumi/locks/podpath/own/a.json"
    records = [tmp_path / "cache/podpath" / name for name in ("dockerd.json", "locks/podpath.up.holder")]
    for file in (journal, dead, *records, own.folder / "outside.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    assert Changes(journal).pending() == [] == Journal(journal, repair_of).pending()
    assert engine.own_engine() is None
    with lock("podpath"):
        pass
    deploy._break_stale_lock(own)
    assert not dead.exists()
    with pytest.raises(PodpathError, match=r"outside\.json is damaged: run scripts/up own"):
        outside_of(own)


def test_a_lock_of_a_living_process_is_left(own: Profile, tmp_path: Path) -> None:
    held = tmp_path / "state/state/.pulumi/locks/podpath/own/a.json"
    held.parent.mkdir(parents=True)
    held.write_text(json.dumps({"pid": 1}))
    deploy._break_stale_lock(own)
    assert held.exists()
