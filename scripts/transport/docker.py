"""The few Docker calls that several modules share; they use the client on PATH."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.errors import PodpathError
from scripts.transport.process import run


def docker(
    *args: str | Path, stdin: str | bytes | None = None, check: bool = True, timeout: float | None = None
) -> str:
    """Runs ``docker ARGS`` and returns its stdout without the trailing newline; raises CommandFailed."""
    return run(["docker", *args], stdin=stdin, check=check, timeout=timeout).stdout.strip()


def image_id(tag: str) -> str | None:
    """The id of a local image, None when there is none of that name."""
    return docker("image", "inspect", "--format", "{{.Id}}", tag, check=False) or None


@contextmanager
def container_of(image: str, *options: str) -> Iterator[str]:
    """A container of ``image`` that idles while the block runs, and is gone with its volumes after it."""
    name = docker(
        "run", "--detach", "--network", "none", *options, "--entrypoint", "sleep", image, "infinity"
    )
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


def copy_from(image: str, path: str, target: Path) -> None:
    """Copies a file out of an image, of which nothing is run."""
    made = docker("create", image, "/none")  # an image of files alone names no program
    try:
        docker("cp", "--follow-link", f"{made}:{path}", target)
    finally:
        docker("rm", made, check=False)


def import_program(program: Path, tag: str, path: str = "") -> None:
    """An image with one program and nothing else, which is also its entrypoint.

    It is at /usr/local/bin/<name>, or at ``path``.
    """
    inside = path.lstrip("/") or f"usr/local/bin/{program.name}"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo(inside)
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as source:
            archive.addfile(entry, source)
    docker(
        "import",
        "--change",
        "ENV PATH=/usr/local/bin",
        "--change",
        f'ENTRYPOINT ["/{inside}"]',
        "-",
        tag,
        stdin=stream.getvalue(),
    )


def add_programs(image: str, programs: Sequence[Path], tag: str, *changes: str) -> None:
    """``image`` with more programs, each at /usr/local/bin/<name>, run as root, as ``tag``.

    The first program is the entrypoint unless ``changes`` (Dockerfile instructions) say otherwise.
    """
    made = docker("create", image)
    instructions = ["USER 0", "CMD []", f'ENTRYPOINT ["/usr/local/bin/{programs[0].name}"]', *changes]
    try:
        for program in programs:
            docker("cp", "--follow-link", program, f"{made}:/usr/local/bin/{program.name}")
        docker("commit", *(word for line in instructions for word in ("--change", line)), made, tag)
    finally:
        docker("rm", made, check=False)


def pipe_images(tags: Iterable[str], sink: list[str]) -> None:
    """Sends ``docker save TAGS`` into the stdin of the command ``sink``; raises PodpathError."""
    with subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE) as save:
        done = subprocess.run(sink, stdin=save.stdout, capture_output=True)
    if save.returncode or done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["docker save failed"]
        raise PodpathError(f"images could not be brought to the node image: {said[-1]}")
