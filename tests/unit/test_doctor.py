"""Doctor says first what a machine is, and looks no further where nothing can work."""

from __future__ import annotations

import errno
import os
import platform
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.build.clitools import on_path
from scripts.build.engineplace import system_trouble
from scripts.cli import doctor as module
from scripts.cli.doctor import Finding, disk, doctor
from scripts.clusters.kind.supply import MODULES, Supply, Way
from scripts.errors import CURES, PodpathError, environment_trouble
from scripts.transport.process import run

WSL1, WSL2 = "4.4.0-19041-Microsoft", "5.15.153.1-microsoft-standard-WSL2"


@pytest.mark.parametrize(
    ("system", "release", "told"),
    [
        ("Linux", "6.1.0-18-amd64", ""),
        ("Linux", WSL2, ""),
        ("Linux", WSL1, "WSL 1 has no Linux kernel: type `wsl --set-version DISTRIBUTION 2` in Windows."),
        (
            "Darwin",
            "23.4.0",
            "podpath needs a Linux kernel beside its own programs, and this is macOS: run it",
        ),
        (
            "FreeBSD",
            "14.0",
            "podpath needs a Linux kernel beside its own programs, and this is FreeBSD: run it",
        ),
    ],
)
def test_each_system_is_told_by_its_name(system: str, release: str, told: str) -> None:
    said = system_trouble(system, release)
    assert said.startswith(told) and bool(said) == bool(told)


@pytest.mark.parametrize(
    ("system", "release", "first", "more"),
    [
        ("Darwin", "23.4.0", "this is macOS", False),
        ("Linux", WSL1, "wsl --set-version", False),
        ("Linux", WSL2, "(WSL 2)", True),
    ],
)
def test_doctor_says_first_what_the_machine_is(
    system: str,
    release: str,
    first: str,
    more: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "release", lambda: release)
    monkeypatch.setattr(module, "LOOKS", (lambda: Finding("all else", "ok", "fine"),))
    monkeypatch.setattr(module, "_stack", lambda profile: [])
    monkeypatch.setattr(module, "_supplies", lambda profile: [])
    assert doctor() == (0 if more else 3)
    told = capfd.readouterr().out
    assert first in told.splitlines()[1] and ("all else" in told) == more
    assert ("Missing: system." in told) != more


PULLED = Supply("Envoy", Way.PULLED, "from envoy:v1", 7, 70)
BUILT = Supply("kind", Way.BUILT, MODULES, 40, advice="quicker: put kind on PATH")


@pytest.mark.parametrize(
    ("things", "enough"),
    [([PULLED], True), ([BUILT, PULLED], False), ([Supply("labs' images", Way.BUILT, "on Debian")], True)],
)
def test_less_room_is_needed_where_nothing_is_compiled(
    things: list[Supply], enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=8 * 2**30))
    assert disk(things).state == ("ok" if enough else "missing")
    assert disk(None).advice == "make 12 GiB free"


def test_each_thing_is_a_line_with_its_way(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(module, "LOOKS", ())
    monkeypatch.setattr(module, "_stack", lambda profile: [])
    monkeypatch.setattr(module, "_supplies", lambda profile: [PULLED, BUILT])
    doctor()
    told = capfd.readouterr().out
    assert "Envoy" in told and "to be pulled from envoy:v1 (about 70 MB, 10 s)" in told
    assert "to be built from Go modules (about 40 s)" in told and "quicker: put kind on PATH" in told
    monkeypatch.setattr(module, "_supplies", lambda profile: None)
    doctor()
    assert "no Docker Engine to ask for them" in capfd.readouterr().out


@pytest.mark.parametrize("number", CURES)
def test_an_error_of_the_environment_is_one_sentence_with_a_cure(number: int) -> None:
    told = environment_trouble(OSError(number, os.strerror(number), "/x/y"))
    assert told == f"/x/y: {os.strerror(number)}: {CURES[number]}."


def test_what_is_no_error_of_the_environment_is_a_bug() -> None:
    assert environment_trouble(OSError(errno.EBADF, "bad")) == ""
    assert environment_trouble(KeyError("x")) == ""
    assert environment_trouble(RuntimeError("can't start new thread")).startswith("no further thread")
    assert environment_trouble(MemoryError()).startswith("there is not enough memory: ")


@pytest.mark.parametrize("data", [b"\x7fELF of another machine", b"#!/no/such/shell\n", b""])
def test_a_program_that_cannot_be_run_is_told_and_none_that_fits(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kind", "pulumi", "kubectl"):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
    with pytest.raises(PodpathError, match=r"kind (is missing|cannot be run)"):
        run([tmp_path / "kind"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert on_path() == {}
