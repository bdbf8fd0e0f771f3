"""What `pulumi` prints, and what of it a person is told."""

from __future__ import annotations

import pytest

from scripts.cluster.deploy import diagnosis, summary
from scripts.cluster.profile import Profile
from scripts.cluster.stackenv import DEFAULT_PASSPHRASE, environment
from scripts.commands.up import chosen_labs
from scripts.errors import UsageError

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
