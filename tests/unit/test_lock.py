"""One command at a time on a cluster: who comes second waits, and is told for whom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from scripts import locking
from scripts.errors import PodpathError
from scripts.paths import ROOT
from scripts.stack import lock as module
from scripts.stack.lock import lock
from scripts.waiting import Timeouts

MINE = rf"another scripts/probe \(process {os.getpid()}, since \d\d:\d\d:\d\d\)"


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person is told; the locks lie in a folder of the test's own, and nobody waits long."""
    told: list[str] = []
    monkeypatch.setattr(module, "cache", lambda: tmp_path)
    monkeypatch.setattr(locking, "say", told.append)
    monkeypatch.setattr(locking, "TIMEOUTS", Timeouts(lock=0))
    return told


def holders(folder: Path) -> list[Path]:
    return [*folder.glob("locks/*.holder")]


def test_a_lock_is_free_again_after_its_block(said: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        with lock("podpath"):
            assert len(holders(tmp_path)) == 1
        assert holders(tmp_path) == []
    assert said == []


def test_a_lock_is_free_again_after_an_error(said: list[str], tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock("podpath"):
        raise KeyError
    with lock("podpath"):
        assert said == []


@contextmanager
def held_elsewhere(whose: str) -> Iterator[threading.Event]:
    """Another thread holds the lock until the event is set."""
    there, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with lock("podpath", whose):
            there.set()
            enough.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    there.wait(20)
    try:
        yield enough
    finally:
        enough.set()
        thread.join()


def test_who_comes_second_waits_for_the_first_and_is_told_its_process(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "TIMEOUTS", Timeouts(lock=20))
    with held_elsewhere("scripts/probe") as enough:

        def say(text: str) -> None:
            said.append(text)
            enough.set()

        monkeypatch.setattr(locking, "say", say)
        with lock("podpath", "scripts/probe"):
            assert len(said) == 1
    assert re.fullmatch(MINE + r" is using cluster podpath; waiting for it to finish\.", said[0])


def test_who_waits_too_long_gives_up_and_names_the_holder(said: list[str], tmp_path: Path) -> None:
    with (
        held_elsewhere("scripts/probe"),
        pytest.raises(PodpathError, match=MINE + r" is still using cluster podpath after 0 s: wait for it"),
        lock("podpath", "scripts/probe"),
    ):
        pytest.fail("two have the lock")
    assert holders(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{}", '{"pid": 1}'])
def test_a_holder_that_cannot_be_read_is_told_by_its_command(
    text: str, said: list[str], tmp_path: Path
) -> None:
    with held_elsewhere("scripts/probe"):
        (file,) = holders(tmp_path)
        file.write_text(text)
        with pytest.raises(PodpathError, match=r"^another scripts/probe is still"), ExitStack() as stack:
            stack.enter_context(lock("podpath", "scripts/probe"))


@pytest.mark.parametrize(
    ("cluster", "whose"), [("podpath", "scripts/up or scripts/down"), ("other", "scripts/probe")]
)
def test_other_commands_and_other_clusters_do_not_wait(cluster: str, whose: str, said: list[str]) -> None:
    with held_elsewhere("scripts/probe"), lock(cluster, whose):
        assert said == []


def test_the_kernel_frees_what_a_killed_command_held(said: list[str], tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from scripts.stack import lock as module\n"
        f"module.cache = lambda: Path({str(tmp_path)!r})\n"
        "with module.lock('podpath', 'scripts/probe'): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 9
    assert len(holders(tmp_path)) == 1
    with lock("podpath", "scripts/probe"):
        assert said == []
