"""The workloads' tags: they follow content, and nothing but content."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from scripts.build import workloads
from scripts.build.contenthash import folder_hash
from scripts.build.workloads import BASE, DERIVED, Image, context, images
from scripts.errors import PodpathError
from scripts.paths import WORKLOADS
from scripts.transport.process import CommandFailed
from tests.unit.reach import Reach

DEBIAN = "podpath/debian:test"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A copy of the real workloads, free to be changed."""
    copy = tmp_path / "workloads"
    shutil.copytree(WORKLOADS, copy)
    return copy


def tags(folders: Path, debian: str = DEBIAN) -> dict[str, str]:
    return {name: image.tag for name, image in images(debian, folders).items()}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_every_folder_is_a_workload_with_a_tag() -> None:
    found = {path.name for path in WORKLOADS.iterdir() if path.is_dir()}
    assert found == {BASE, *DERIVED} == set(images(DEBIAN))
    for name, image in images(DEBIAN).items():
        repository, key = image.tag.split(":")
        assert repository == f"podpath/{name}"
        assert len(key) == 12 and set(key) <= set("0123456789abcdef")


def test_bytes_of_one_workload_change_its_tag_alone(folders: Path) -> None:
    before = tags(folders)
    (folders / "nginx" / "serve").write_bytes((folders / "nginx" / "serve").read_bytes() + b"\n")
    assert changed(before, tags(folders)) == {"nginx"}


def test_the_executable_bit_changes_the_tag(folders: Path) -> None:
    before = tags(folders)
    (folders / "nginx" / "serve").chmod(0o644)
    assert changed(before, tags(folders)) == {"nginx"}


def test_a_name_changes_the_tag_and_so_does_a_file_more(folders: Path) -> None:
    before = tags(folders)
    (folders / "client" / "new").write_bytes(b"")
    more = tags(folders)
    assert changed(before, more) == {"client"}
    (folders / "client" / "new").rename(folders / "client" / "other")
    assert changed(more, tags(folders)) == {"client"}


def test_a_file_that_reads_like_two_has_another_key(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    before = folder_hash(tmp_path, DEBIAN)
    (tmp_path / "b").unlink()
    (tmp_path / "a").write_bytes(b"1b-x2")
    assert folder_hash(tmp_path, DEBIAN) != before


def test_the_base_and_debian_change_everything(folders: Path) -> None:
    before = tags(folders)
    (folders / BASE / "idle").write_bytes(b"#!/bin/sh\n")
    assert changed(before, tags(folders)) == {BASE, *DERIVED}
    assert changed(before, tags(folders, "podpath/debian:other")) == {BASE, *DERIVED}


def test_place_times_and_umask_change_nothing(folders: Path, tmp_path: Path) -> None:
    before = tags(folders), context(folders / "webapp")
    moved = tmp_path / "somewhere" / "else"
    shutil.copytree(folders, moved)
    for path in moved.rglob("*"):
        os.utime(path, (1, 1))
        if path.is_file():
            path.chmod(path.stat().st_mode & 0o700)
    assert (tags(moved), context(moved / "webapp")) == before


def test_the_build_context_is_readable_by_every_user(folders: Path) -> None:
    (folders / "nginx" / "nginx.conf.in").chmod(0o600)
    with tarfile.open(fileobj=io.BytesIO(context(folders / "nginx"))) as packed:
        modes = {entry.name: (entry.mode, entry.uid, entry.mtime) for entry in packed}
    assert modes["serve"] == (0o755, 0, 0)
    assert modes["nginx.conf.in"] == (0o644, 0, 0)


class Docker:
    """Stands for the client: knows some tags, records the builds, and can refuse one."""

    def __init__(self, local: Sequence[str], refuse: str = "") -> None:
        self.local, self.refuse = list(local), refuse
        self.calls: list[list[str]] = []

    def __call__(
        self, argv: Sequence[str | Path], *, log: Path | None = None, **_: object
    ) -> subprocess.CompletedProcess[str]:
        args = [str(arg) for arg in argv]
        self.calls.append(args)
        if args[1] == "images":
            return subprocess.CompletedProcess(args, 0, "\n".join(self.local), "")
        if args[1] == "build" and self.refuse and self.refuse in args[args.index("--tag") + 1]:
            said = "\x1b[91mE: no such package\n\x1b[0mRemoving intermediate container 1"
            raise CommandFailed(args, 1, f"Step 1\n{said}\nThe command '/bin/sh -c x' returned a code")
        return subprocess.CompletedProcess(args, 0, "", "")

    def built(self) -> list[str]:
        return [call[call.index("--tag") + 1] for call in self.calls if call[1] == "build"]


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Image]:
    """The images on a pulled Debian, with the logs out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return images(workloads.PULLED)


def test_nothing_missing_is_one_question(monkeypatch: pytest.MonkeyPatch, at_hand: dict[str, Image]) -> None:
    docker = Docker([workloads.PULLED, *(image.tag for image in at_hand.values())])
    monkeypatch.setattr(workloads, "run", docker)
    assert workloads.build_all() == {name: image.tag for name, image in at_hand.items()}
    assert [call[1] for call in docker.calls] == ["images"]


@pytest.mark.parametrize("debian", workloads.BASES)
def test_images_come_from_the_registry_that_the_stack_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, debian: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done: list[tuple[str, ...]] = []
    monkeypatch.setattr(workloads, "run", Docker([]))
    monkeypatch.setattr(workloads, "docker", lambda *args, **_: done.append(args))
    tags = {name: image.tag for name, image in images(debian).items()}
    remote = {name: tag.replace("podpath/", "r.example/team/") for name, tag in tags.items()}
    reach = Reach(*remote.values())
    assert workloads.build_all(reach, "r.example/team") == tags
    assert reach.taken == [*remote.values()]
    assert [args for args in done if args[0] == "tag"] == [("tag", remote[name], tags[name]) for name in tags]
    assert [args[-1] for args in done if args[:2] == ("image", "rm")] == [*remote.values()]


@pytest.mark.parametrize("lacks", [BASE, "webapp"])
def test_what_the_registry_lacks_is_built(
    monkeypatch: pytest.MonkeyPatch, at_hand: dict[str, Image], lacks: str
) -> None:
    docker = Docker([workloads.PULLED])
    monkeypatch.setattr(workloads, "run", docker)
    monkeypatch.setattr(workloads, "docker", lambda *args, **_: "")
    remote = [workloads.remote_name(image.tag, "r") for name, image in at_hand.items() if name != lacks]
    assert workloads.build_all(Reach(*remote), "r") == {name: image.tag for name, image in at_hand.items()}
    assert lacks in {tag.partition("/")[2].partition(":")[0] for tag in docker.built()}


def test_images_on_the_other_debian_are_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {name: image.tag for name, image in images(workloads.BOOTSTRAPPED).items()}
    docker = Docker([*tags.values()])
    monkeypatch.setattr(workloads, "run", docker)
    assert workloads.build_all() == tags == workloads.standing()
    docker.local.append(workloads.PULLED)
    assert workloads.standing() == {}, "of two Debians, the one that is there decides"


def test_only_what_is_missing_is_built_and_the_base_first(
    monkeypatch: pytest.MonkeyPatch, at_hand: dict[str, Image]
) -> None:
    docker = Docker([workloads.PULLED, at_hand["nginx"].tag])
    monkeypatch.setattr(workloads, "run", docker)
    workloads.build_all()
    built = docker.built()
    assert built[0] == at_hand[BASE].tag
    assert set(built) == {image.tag for image in at_hand.values() if image.name != "nginx"}


def test_a_failed_build_says_why_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, at_hand: dict[str, Image], tmp_path: Path
) -> None:
    monkeypatch.setattr(workloads, "run", Docker([workloads.PULLED], refuse="webapp"))
    with pytest.raises(PodpathError) as failure:
        workloads.build_all()
    log = tmp_path / "podpath" / "logs" / "workload-webapp.log"
    assert str(failure.value) == (
        f"the image of workload webapp could not be built: E: no such package; see {log}."
    )
