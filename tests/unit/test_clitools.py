"""Which tools from PATH will do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.build import clitools
from scripts.build.clitools import kind_fits, kubectl_fits, numbers, on_path, pulumi_fits


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("kind v0.33.0 go1.26.8 linux/amd64", True),
        ("kind v0.33.4 go1.27", True),
        ("kind v0.32.0", False),
        ("", False),
    ],
)
def test_kind_must_be_of_the_pinned_minor_version(said: str, fits: bool) -> None:
    assert kind_fits(said) is fits


@pytest.mark.parametrize(
    ("said", "fits"),
    [("v3.259.0", True), ("v3.300.1", True), ("v3.258.9", False), ("v4.0.0", False), ("", False)],
)
def test_pulumi_must_not_be_older_than_the_pinned_one(said: str, fits: bool) -> None:
    assert pulumi_fits(said) is fits


@pytest.mark.parametrize(
    ("version", "fits"),
    [("v1.36.1", True), ("v1.38.0", True), ("v1.32.4-dispatcher", False), ("v2.37.0", False)],
)
def test_kubectl_must_be_within_one_minor_version(version: str, fits: bool) -> None:
    assert kubectl_fits(json.dumps({"clientVersion": {"gitVersion": version}})) is fits


def test_what_is_no_answer_does_not_fit() -> None:
    assert not kubectl_fits("error: unknown flag")
    assert numbers("nothing") == (0, 0, 0)


def test_our_own_links_are_not_found_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("bin", "elsewhere"):
        program = tmp_path / folder / "kind"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho kind v0.33.0\n")
        program.chmod(0o755)
    monkeypatch.setattr(clitools, "STATE", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    assert on_path() == {}
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{tmp_path}/elsewhere:/bin:/usr/bin")
    assert on_path()["kind"] == tmp_path / "elsewhere" / "kind"
