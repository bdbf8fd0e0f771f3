"""Other programs: run without a shell, their failure told in one sentence; or left running."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.errors import PodpathError


class CommandFailed(PodpathError):
    """A program ended with another exit code than 0; ``output`` is what it printed."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str) -> None:
        self.argv, self.returncode, self.output = list(argv), returncode, output
        lines = [line for line in output.strip().splitlines() if line.strip()]
        said = lines[-1].strip() if lines else "it printed nothing"
        super().__init__(
            f"{Path(argv[0]).name} {' '.join(argv[1:3])} ended with exit code {returncode}: {said}"
        )


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | bytes | None = None,
    timeout: float | None = None,
    log: Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Runs ``argv`` to its end and returns its stdout and stderr as text.

    ``env`` is added to this process's environment. ``log`` receives both streams instead of the
    result's. Raises CommandFailed for an exit code other than 0 (unless ``check`` is False) and
    PodpathError when the program is missing or takes longer than ``timeout`` seconds.
    """
    args = [os.fspath(arg) for arg in argv]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        if log is None:
            done = subprocess.run(
                args,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                input=data,
                capture_output=True,
                timeout=timeout,
            )
            out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        else:
            with log.open("ab") as sink:
                done = subprocess.run(
                    args,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                    input=data,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                )
            out, err = "", log.read_text(errors="replace") if done.returncode else ""
    except FileNotFoundError as error:
        raise PodpathError(f"the program {args[0]} is missing: run scripts/doctor.") from error
    except subprocess.TimeoutExpired as error:
        raise PodpathError(f"{args[0]} {' '.join(args[1:3])} did not end within {timeout:.0f} s.") from error
    if check and done.returncode != 0:
        raise CommandFailed(args, done.returncode, f"{out.rstrip()}\n{err}")
    return subprocess.CompletedProcess(args, done.returncode, out, err)


def start_daemon(argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> int:
    """Starts a program that outlives this one, in a session of its own; returns its process id.

    Both its streams go to the end of ``log``; ``env`` is added to this process's environment. Raises
    PodpathError when the program is missing.
    """
    args = [os.fspath(arg) for arg in argv]
    found = shutil.which(args[0])
    if found is None:
        raise PodpathError(f"the program {args[0]} is missing: run scripts/doctor.")
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.fspath(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(found, args, {**os.environ, **(env or {})}, file_actions=streams, setsid=True)


def start_time(pid: int) -> str | None:
    """When a living process started, in clock ticks since boot (proc(5)); None for a dead one.

    With the id it names one process for good. A child of this process that has ended is reaped.
    """
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
