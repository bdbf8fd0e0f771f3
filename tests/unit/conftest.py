"""What unit tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

from scripts.probing.scenarios import endpoints, hang, labels, replace
from scripts.waiting import Timeouts

settings.register_profile("podpath", deadline=None)  # a busy machine is slow, and that is no defect
settings.load_profile("podpath")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up cluster follows at once or never: scenarios look once and do not wait."""
    for module in (endpoints, hang, labels, replace):
        monkeypatch.setattr(module, "TIMEOUTS", Timeouts(follow=0, replace=0))
