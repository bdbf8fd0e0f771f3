"""What every command does with what its function returns or raises."""

from __future__ import annotations

import sys

import pytest

from scripts.commands import shell
from scripts.errors import PodpathError, UsageError

AGAIN = "run scripts/work again, it goes on from what is done"


def ended(raised: BaseException | int, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """The exit code of a command that returns or raises this."""

    def work() -> int:
        if isinstance(raised, BaseException):
            raise raised
        return raised

    monkeypatch.setattr(sys, "argv", ["work"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(shell, "_kept", lambda name: f"see crash-{name}.log")
    with pytest.raises(SystemExit) as end:
        shell.start(work)
    return end.value.code


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (UsageError("there is no lab 'x'."), 2, "podpath: there is no lab 'x'.\n"),
        (PodpathError("no cluster."), 3, "podpath: no cluster.\n"),
        (KeyboardInterrupt(), 130, f"podpath: interrupted; {AGAIN}.\n"),
        (KeyError("x"), 3, "podpath: a bug in podpath ended this: KeyError('x'); see crash-work.log.\n"),
    ],
)  # fmt: skip
def test_each_end_has_its_code_and_its_sentence(
    raised: BaseException | int,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert ended(raised, monkeypatch) == code
    assert capfd.readouterr().err == told
