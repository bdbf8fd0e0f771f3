"""What unit tests share."""

from __future__ import annotations

import pytest

from scripts.probing.scenarios import endpoints, hang, labels, replace
from scripts.waiting import Timeouts


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up cluster follows at once or never: scenarios look once and do not wait."""
    for module in (endpoints, hang, labels, replace):
        monkeypatch.setattr(module, "TIMEOUTS", Timeouts(follow=0, replace=0))
