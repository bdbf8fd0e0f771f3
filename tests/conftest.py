"""What all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator

import pytest

from scripts import environment, waiting
from scripts.checks import (
    converge,
    disconnect,
    hang,
    kept,
    membership,
    relabel,
    renewal,
    replace,
    resend,
    roll,
    undo,
)


def pytest_collection_finish() -> None:
    """What has been imported is not walked through again; what the tests make has few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test makes harmless, and the proxies that it keeps for downloads, are gone after it."""
    for name in ("_kept", "_before"):
        monkeypatch.setattr(environment, name, {})
    before = dict(os.environb)
    yield
    for added in os.environb.keys() - before.keys():
        del os.environb[added]
    os.environb.update(before.items() - os.environb.items())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up cluster follows at once or never: scenarios look once and do not wait."""

    def once(condition: Callable[[], object], deadline: float, what: str, every: float = 0) -> object:
        return waiting.eventually(condition, 0, what)

    waits = (converge, disconnect, hang, kept, membership, relabel, renewal, replace, resend, roll, undo)
    for module in waits:
        monkeypatch.setattr(module, "eventually", once)
