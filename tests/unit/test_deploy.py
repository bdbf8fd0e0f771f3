"""What `pulumi` prints, and what of it a person is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scripts.cli._arguments import chosen_labs
from scripts.errors import PodpathError, UsageError
from scripts.stack import deploy as module
from scripts.stack.deploy import (
    Unrecorded,
    deploy,
    diagnosis,
    exports_file,
    kept_exports,
    summary,
)
from scripts.stack.profile import Profile, stacks
from scripts.stack.state import state_file
from scripts.stack.variables import DEFAULT_PASSPHRASE, PASSPHRASES, SALT, environment
from scripts.transport.process import CommandFailed

UP = """Updating (kind):
 +  pulumi:pulumi:Stack podpath-kind creating (0s)
Resources:
    + 23 created
    2 unchanged

Duration: 9s
"""


def test_summary_is_the_resources_block_in_one_line() -> None:
    assert summary(UP) == "23 created, 2 unchanged"


def test_a_wrong_passphrase_says_what_to_type() -> None:
    told = diagnosis("error: getting stack configuration: incorrect passphrase", Profile("kind"))
    assert "PULUMI_CONFIG_PASSPHRASE" in told and "unset" in told


def test_the_first_telling_error_is_told() -> None:
    output = (
        "Diagnostics:\n  x (frontend):\n    error: update failed\n    error: Pod frontend: image not found.\n"
    )
    assert diagnosis(output, Profile("kind")).startswith("pulumi failed: Pod frontend: image not found (")


def test_environment_is_the_stacks_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    env = environment("kind")
    assert env["PULUMI_CONFIG_PASSPHRASE"] == DEFAULT_PASSPHRASE
    assert env["PULUMI_BACKEND_URL"].startswith("file:///")
    assert ".podpath/kind/kubeconfig" in env["KUBECONFIG"]
    assert env["PATH"].count(".podpath/bin") == 1
    monkeypatch.setenv("PATH", env["PATH"])
    assert environment("kind")["PATH"] == env["PATH"]


@pytest.mark.parametrize("variable", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])
@pytest.mark.parametrize("salt", [SALT, "v1:another:v1:one"])
def test_a_passphrase_of_the_users_counts_for_a_stack_that_he_encrypted(
    variable: str, salt: str, stack: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For our own stacks it would not fit, and he may have it for something else."""
    for name in PASSPHRASES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.own.yaml").write_text(f"encryptionsalt: {salt}\n")
    assert environment("own")["PULUMI_CONFIG_PASSPHRASE"] == DEFAULT_PASSPHRASE
    monkeypatch.setenv(variable, "mine")
    assert environment("own").get("PULUMI_CONFIG_PASSPHRASE") == (
        DEFAULT_PASSPHRASE if salt == SALT else None
    )


@pytest.mark.parametrize("stack", stacks())
def test_our_own_stacks_have_our_salt(stack: str) -> None:
    assert Profile(stack).salt == SALT


def test_a_shell_with_proxies_is_told_to_use_none_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.environment._kept", {"https_proxy": "http://p:1", "NO_PROXY": "a, b"})
    told = environment("kind")
    assert told["NO_PROXY"] == told["no_proxy"] == "a,b,localhost,127.0.0.1"
    monkeypatch.setattr("scripts.environment._kept", {})
    assert "NO_PROXY" not in environment("kind")


def test_the_state_is_named_by_a_url_whatever_the_folder_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.stack.variables.STATE", Path("/tmp/50% x#1?"))
    monkeypatch.setattr("scripts.stack.variables.private_folder", lambda path: path)
    assert environment("kind")["PULUMI_BACKEND_URL"] == "file:///tmp/50%25%20x%231%3F/state"


def test_labs_are_chosen_by_name() -> None:
    assert chosen_labs("") == []
    assert chosen_labs("ingress-l7, pod-to-service") == ["ingress-l7", "pod-to-service"]
    with pytest.raises(UsageError, match=r"'nope'.*ingress-l7"):
        chosen_labs("nope,ingress-l7")


class MadeUpPulumi:
    """Writes a state with ``told`` as the stack's outputs at each ``up``, and notes what it was asked."""

    def __init__(self, profile: Profile, told: Any) -> None:
        self.profile, self.told, self.asked, self.refreshed = profile, told, list[str](), False
        self.ends: list[PodpathError | None] = []
        self.write(None)

    def write(self, told: Any) -> None:
        state = state_file(self.profile)
        state.parent.mkdir(parents=True, exist_ok=True)
        stack = [{"type": "k8s", "outputs": {}}, {"type": "pulumi:pulumi:Stack", "outputs": told}]
        state.write_text(json.dumps({"checkpoint": {"latest": {"resources": stack if told else []}}}))

    def __call__(self, profile: Profile, *args: str, **_: Any) -> str:
        self.asked.append(args[0])
        self.refreshed = "--refresh" in args
        if args[0] == "up":
            if self.ends and (error := self.ends.pop(0)):
                raise error
            self.write(self.told)
            return UP
        return json.dumps(self.told)


@pytest.fixture
def pulumi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MadeUpPulumi:
    for place in ("deploy", "profile", "state"):
        monkeypatch.setattr(f"scripts.stack.{place}.STATE", tmp_path)
    made = MadeUpPulumi(Profile("kind"), {"labs": {"egress": 1}})
    monkeypatch.setattr(module, "pulumi", made)
    return made


@pytest.mark.parametrize("ends", [[Unrecorded("conflict."), None], [Unrecorded("1."), Unrecorded("2.")]])
def test_an_object_that_the_stack_does_not_know_has_the_labs_made_anew_once(
    pulumi: MadeUpPulumi, monkeypatch: pytest.MonkeyPatch, ends: list[PodpathError | None]
) -> None:
    anew: list[str] = []
    pulumi.ends = [*ends]
    monkeypatch.setattr(module, "_start_anew", lambda profile: anew.append(profile.stack))
    if ends[-1]:
        with pytest.raises(Unrecorded, match="2"):
            deploy(pulumi.profile, None)
    else:
        assert deploy(pulumi.profile, None) == summary(UP)
    assert anew == ["kind"] and pulumi.asked[:2] == ["up", "up"]


def test_another_failure_takes_nothing_away(pulumi: MadeUpPulumi, monkeypatch: pytest.MonkeyPatch) -> None:
    pulumi.ends = [PodpathError("no Pod starts.")]
    monkeypatch.setattr(module, "_start_anew", lambda profile: pytest.fail("the labs were taken away"))
    with pytest.raises(PodpathError, match="no Pod starts"):
        deploy(pulumi.profile, None)


@pytest.mark.parametrize(
    ("said", "unrecorded"),
    [
        ("error: Server-Side Apply field conflict detected. See the guide", True),
        ('error: deployments.apps "frontend" already exists', True),
        ("error: Resource operation was cancelled", False),
    ],
)
def test_what_the_stack_does_not_know_is_told_from_other_failures(
    said: str, unrecorded: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise CommandFailed(["pulumi"], 255, said)

    monkeypatch.setattr("scripts.stack.profile.STATE", tmp_path)
    monkeypatch.setattr(module, "program", lambda name: Path(name))
    monkeypatch.setattr(module, "run", fails)
    with pytest.raises(PodpathError, match="pulumi failed") as seen:
        module.pulumi(Profile("kind"), "up")
    assert isinstance(seen.value, Unrecorded) == unrecorded


def test_outputs_that_stay_the_same_are_not_asked_for_again(pulumi: MadeUpPulumi) -> None:
    deploy(pulumi.profile, None)
    assert pulumi.asked == ["up", "stack"] and json.loads(kept_exports(pulumi.profile) or "") == pulumi.told
    deploy(pulumi.profile, None)
    assert pulumi.asked == ["up", "stack", "up"]
    assert json.loads(kept_exports(pulumi.profile) or "") == pulumi.told, "as new as the state again"


def test_outputs_are_asked_for_when_they_change_or_were_not_kept(pulumi: MadeUpPulumi) -> None:
    deploy(pulumi.profile, None)
    pulumi.told = {"labs": {"egress": 2}}
    deploy(pulumi.profile, None)
    assert (
        pulumi.asked == ["up", "stack"] * 2 and json.loads(kept_exports(pulumi.profile) or "") == pulumi.told
    )
    old = state_file(pulumi.profile).stat().st_mtime_ns - 1_000_000_000
    os.utime(exports_file(pulumi.profile), ns=(old, old))  # a pulumi up of the user's own in between
    assert kept_exports(pulumi.profile) is None
    deploy(pulumi.profile, None)
    assert pulumi.asked == ["up", "stack"] * 3


@pytest.mark.parametrize("compare", [False, True])
def test_pulumi_compares_its_state_with_the_cluster_only_where_it_may_differ(
    pulumi: MadeUpPulumi, compare: bool
) -> None:
    deploy(pulumi.profile, None, compare)
    pulumi.asked.clear()
    deploy(pulumi.profile, None, compare)
    assert (pulumi.asked, pulumi.refreshed) == (["up"], compare)


def labelled(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def test_recovery_takes_away_what_the_stack_made_and_nothing_else(
    pulumi: MadeUpPulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's namespace survives, whatever its name, and so does another stack's on the same cluster."""
    ours = {**module.MADE_BY, module.STACK_LABEL: "kind"}
    pods = [("podpath-egress", "traveller"), ("podpath-mine", "web"), ("podpath-other", "web")]
    listed = [
        labelled("podpath-egress", **ours),
        labelled("podpath-mine"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "podpath-bare"}},
        labelled("podpath-other", **{**ours, module.STACK_LABEL: "own"}),
        labelled("default"),
        *(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": where, "name": name}}
            for where, name in pods
        ),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "podpath-egress", "name": "traveller-1",
                                                         "ownerReferences": [{}]}},
    ]  # fmt: skip
    deleted: list[tuple[str, str]] = []

    def kubectl(profile: Profile, *args: str, stdin: str | None = None, check: bool = True) -> str:
        if stdin:
            assert "delete" in args
            deleted.extend((one["kind"], one["metadata"]["name"]) for one in json.loads(stdin)["items"])
        return json.dumps({"items": listed})

    monkeypatch.setattr(module, "kubectl", kubectl)
    module._delete_labs(pulumi.profile, wait=True)
    assert deleted == [("Namespace", "podpath-egress"), ("Deployment", "traveller")]
