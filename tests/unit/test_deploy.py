"""What `pulumi` prints, and what of it a person is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scripts.cluster import deploy as module
from scripts.cluster.deploy import (
    Unrecorded,
    deploy,
    diagnosis,
    exports_file,
    kept_exports,
    state_file,
    summary,
)
from scripts.cluster.profile import Profile
from scripts.cluster.stackenv import DEFAULT_PASSPHRASE, environment
from scripts.commands.up import chosen_labs
from scripts.errors import PodpathError, UsageError
from scripts.process import CommandFailed

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
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    again = environment("kind")
    assert again["PATH"] == env["PATH"]
    assert again["PULUMI_CONFIG_PASSPHRASE"] == "mine"


def test_labs_are_chosen_by_name() -> None:
    assert chosen_labs("") == []
    assert chosen_labs("ingress-l7, pod-to-service") == ["ingress-l7", "pod-to-service"]
    with pytest.raises(UsageError, match=r"'nope'.*ingress-l7"):
        chosen_labs("nope,ingress-l7")


class MadeUpPulumi:
    """Writes a state with ``told`` as the stack's outputs at each ``up``, and notes what it was asked."""

    def __init__(self, profile: Profile, told: Any) -> None:
        self.profile, self.told, self.asked = profile, told, list[str]()
        self.ends: list[PodpathError | None] = []
        self.write(None)

    def write(self, told: Any) -> None:
        state = state_file(self.profile)
        state.parent.mkdir(parents=True, exist_ok=True)
        stack = [{"type": "k8s", "outputs": {}}, {"type": "pulumi:pulumi:Stack", "outputs": told}]
        state.write_text(json.dumps({"checkpoint": {"latest": {"resources": stack if told else []}}}))

    def __call__(self, profile: Profile, *args: str, **_: Any) -> str:
        self.asked.append(args[0])
        if args[0] == "up":
            if self.ends and (error := self.ends.pop(0)):
                raise error
            self.write(self.told)
            return UP
        return json.dumps(self.told)


@pytest.fixture
def pulumi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MadeUpPulumi:
    monkeypatch.setattr(module, "STATE", tmp_path)
    monkeypatch.setattr("scripts.cluster.profile.STATE", tmp_path)
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

    monkeypatch.setattr("scripts.cluster.profile.STATE", tmp_path)
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
