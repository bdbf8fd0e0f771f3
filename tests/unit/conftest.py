"""What unit tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from scripts.stack import profile
from scripts.stack.profile import Profile

settings.register_profile("podpath", deadline=None)  # a busy machine is slow, and that is no defect
settings.load_profile("podpath")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """A stack ``own`` whose settings the test writes."""
    monkeypatch.setattr(profile, "STACKS", tmp_path)
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    (tmp_path / "own.yaml").write_text("name: podpath-own\n")
    (tmp_path / "Pulumi.own.yaml").write_text("")
    return Profile("own")
