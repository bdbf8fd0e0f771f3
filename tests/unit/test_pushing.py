"""Images into a registry: by digest, the engine left as it was, and a refusal in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scripts.build.pushing import push_all, refusal
from scripts.build.workloads import DERIVED
from scripts.cli import images, rights
from scripts.clusters.given import life
from scripts.errors import PodpathError, UsageError
from scripts.stack import profile as profiles
from scripts.stack.profile import Profile
from scripts.tiers import Tier

DIGEST = "sha256:" + "0a" * 32
DOCKER = """#!/bin/sh
echo "$@" >> "$FAKE_LOG"
case "$1" in
    push) [ -z "$FAKE_SAYS" ] || { echo "$FAKE_SAYS" >&2; exit 1; }
          echo "0a1b: digest: %s size: 739" ;;
esac
""".replace("%s", DIGEST)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a fake docker on PATH was asked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAKE_SAYS", "")
    return tmp_path / "log"


def built() -> dict[str, str]:
    return {name: f"podpath/{name}:0a1b" for name in ("base", *DERIVED)}


def test_images_are_named_by_digest_and_the_engine_keeps_no_name_of_the_registry(log: Path) -> None:
    pushed = push_all("registry.example:5000/team", built)
    assert pushed == {name: f"registry.example:5000/team/{name}@{DIGEST}" for name in DERIVED}
    asked = log.read_text().splitlines()
    remotes = [f"registry.example:5000/team/{name}:0a1b" for name in DERIVED]
    assert [line for line in asked if line.startswith("image rm")] == [f"image rm {one}" for one in remotes]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "denied: requested access to the resource is denied",
            "it refuses these credentials: type docker login",
        ),
        ("unauthorized: authentication required", "it refuses these credentials: type docker login"),
        ("dial tcp: lookup registry.example: no such host", "it does not answer, or its name is wrong"),
        ("dial tcp 127.0.0.1:5001: connect: connection refused", "it does not answer, or its name is wrong"),
        ("http: server gave HTTP response to HTTPS client", "it speaks plain HTTP: see insecure-registries"),
        ("x509: certificate signed by unknown authority", "its certificate is not trusted"),
        ("name invalid: Repository name not known", "name invalid: Repository name not known"),
    ],
)
def test_a_registry_that_refuses_is_one_sentence(
    said: str, told: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SAYS", said)
    with pytest.raises(PodpathError) as error:
        push_all("registry.example/team", built)
    sentence = f"registry.example/team did not take registry.example/team/{DERIVED[0]}:0a1b: {told}"
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)
    assert log.read_text().splitlines()[-1].startswith("image rm registry.example/team/")
    assert refusal(said).startswith(told)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """A stack on a given cluster, and one of ours."""
    monkeypatch.setattr(profiles, "STACKS", tmp_path)
    monkeypatch.setattr(profiles, "STATE", tmp_path / "state")
    (tmp_path / "shop.yaml").write_text("provider: given\ncontext: shop\nregistry: registry.example/team\n")
    (tmp_path / "bare.yaml").write_text("provider: given\ncontext: shop\n")
    (tmp_path / "own.yaml").write_text(
        "name: podpath-own\nnetworking: {podSubnet: 10.9.0.0/16, serviceSubnet: 10.8.0.0/16}\n"
        "nodes: [{role: control-plane}]\n"
    )
    for name in ("shop", "bare", "own"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("")
    return Profile("shop")


def test_what_was_pushed_is_kept_for_up(
    shop: Profile, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(images, "ensure_engine", lambda: None)
    monkeypatch.setattr(images, "push_all", lambda registry, names: push_all(registry, built, names))
    assert images.images(images.Action.PUSH, "shop") == 0
    assert json.loads((shop.folder / life.PUSHED).read_text()) == life.images_of(shop)
    assert capsys.readouterr().out.splitlines()[-1] == "Next: scripts/up shop"
    with pytest.raises(UsageError, match=r"bare\.yaml names no registry"):
        images.images(images.Action.PUSH, "bare")
    with pytest.raises(UsageError, match=r"stacks/Pulumi\.own\.yaml names no podpath:registry: write one"):
        images.images(images.Action.PUSH, "own")


def test_a_cluster_of_our_own_needs_the_base_in_its_registry_too(
    shop: Profile,
    log: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(images, "ensure_engine", lambda: None)
    monkeypatch.setattr(images, "push_all", lambda registry, names: push_all(registry, built, names))
    settings = tmp_path / "Pulumi.own.yaml"
    settings.write_text("config: {podpath:registry: localhost:5001/podpath}\n")
    assert images.images(images.Action.PUSH, "own") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"localhost:5001/podpath/base@{DIGEST}" and len(told) == len(DERIVED) + 2
    settings.write_text("config: {podpath:registry: https://registry.example/}\n")
    with pytest.raises(UsageError, match=r"podpath:registry in stacks/Pulumi\.own\.yaml is .* without https"):
        images.images(images.Action.PUSH, "own")


def test_rights_say_what_a_tier_needs_before_anything_is_made(
    shop: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    look = rights.asked_for(shop, Tier.LOOK)
    assert "Nothing is made" in look and "create" not in look and "podpath-tier-0" in look
    pods = rights.asked_for(shop, Tier.PODS)
    assert "podpath-system  (pod-security.kubernetes.io/enforce: restricted)" in pods
    assert "pods/exec" in pods and "NET_ADMIN" not in pods and "no image of client" in pods
    (shop.folder / life.PUSHED).write_text(json.dumps({name: f"r/{name}@{DIGEST}" for name in DERIVED}))
    kernel = rights.asked_for(shop, Tier.KERNEL)
    assert "capabilities NET_ADMIN, NET_RAW and SETGID" in kernel and f"r/node-agent@{DIGEST}" in kernel
    assert f"podpath/owner={shop.owner['podpath/owner']}" in kernel
    assert rights.rights("shop", 1) == 0
    assert capsys.readouterr().out.startswith("# What podpath asks for on context shop, tier 1")
    with pytest.raises(UsageError, match="makes its own cluster"):
        rights.rights("own", 1)
