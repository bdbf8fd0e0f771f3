"""Dead-men, run for real by this machine's shell: a damage is a file, and its undoing removes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from scripts.paths import ROOT
from scripts.transport import deadman
from scripts.transport.executor import CompletedExec, Place, PodExecError
from scripts.waiting import eventually

HERE = Place("here")


def execute(place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> CompletedExec:
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout)
    return CompletedExec(tuple(argv), done.stdout, done.stderr, done.returncode, 0.0)


class Damage:
    """A file that stands for a damage."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.do: list[tuple[str, ...]] = [("touch", str(file))]
        self.undo: list[tuple[str, ...]] = [("rm", "-f", str(file))]
        self.there = ("test", "-e", str(file))

    def arm(self, beat: float = 60, limit: float = 60) -> None:
        deadman.arm(execute, HERE, "test", self.do, self.undo, self.there, beat, limit)

    def disarm(self) -> bool:
        return deadman.disarm(execute, HERE, "test", self.undo, self.there)


@pytest.fixture
def damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Damage]:
    monkeypatch.setattr(deadman, "FOLDER", f"{tmp_path}/podpath-fault-")
    damage = Damage(tmp_path / "damaged")
    yield damage
    damage.disarm()


def folder(damage: Damage) -> Path:
    return damage.file.with_name("podpath-fault-test")


def test_it_is_armed_before_the_damage_is_done(damage: Damage) -> None:
    seen = damage.file.with_name("seen")
    damage.do.insert(0, ("sh", "-c", f"cat {folder(damage)}/pid {folder(damage)}/undo >{seen}"))
    damage.arm()
    assert damage.file.exists()
    pid, *undo = seen.read_text().splitlines()
    assert Path(f"/proc/{pid}").exists() and any("rm -f" in line for line in undo)


def test_who_undoes_it_ends_the_dead_man_too(damage: Damage) -> None:
    damage.arm()
    pid = int((folder(damage) / "pid").read_text())
    assert damage.disarm() and not damage.file.exists() and not folder(damage).exists()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), 5, "the dead-man to end")
    assert damage.disarm(), "it may be undone again"


def test_without_a_sign_of_life_it_is_undone(damage: Damage) -> None:
    damage.arm(beat=1)
    eventually(lambda: not damage.file.exists(), 10, "the dead-man to act")
    eventually(lambda: not folder(damage).exists(), 5, "its folder to be gone")
    assert not deadman.live(execute, HERE, ["test"])


def test_signs_of_life_keep_it_until_the_limit(damage: Damage) -> None:
    damage.arm(beat=2, limit=4)
    begun = time.monotonic()
    while deadman.live(execute, HERE, ["test"]):
        assert time.monotonic() - begun < 15, "the limit did not end it"
    assert not damage.file.exists() and time.monotonic() - begun > 2


def test_a_damage_that_fails_half_way_is_undone(damage: Damage) -> None:
    damage.do.append(("false",))
    with pytest.raises(PodExecError, match="the damage could not be done in here"):
        damage.arm()
    assert not damage.file.exists() and not folder(damage).exists()


def test_one_of_the_same_name_is_refused_and_undone(damage: Damage) -> None:
    damage.arm()
    with pytest.raises(PodExecError, match="a fault of that name is still there"):
        damage.arm()
    assert not damage.file.exists()


def test_what_cannot_be_undone_is_said(damage: Damage) -> None:
    damage.file.touch()
    damage.undo = [("true",)]
    assert not damage.disarm()


def test_the_watchdog_types_the_undoing_when_its_process_was_killed(tmp_path: Path) -> None:
    watched = subprocess.Popen(["sleep", "60"])
    done = tmp_path / "done"
    watch = [sys.executable, "-m", "scripts.transport.watchdog", str(watched.pid), "/bin/touch", str(done)]
    watchdog = subprocess.Popen(watch, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert not done.exists()
    watched.send_signal(signal.SIGKILL)
    watched.wait()
    assert watchdog.wait(timeout=20) == 0 and done.exists()


def test_a_process_that_has_ended_already_is_not_waited_for(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    watch = [sys.executable, "-m", "scripts.transport.watchdog", str(ended.pid), "/bin/true"]
    assert subprocess.run(watch, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=20).returncode == 0
