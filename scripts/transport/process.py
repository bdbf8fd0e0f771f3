"""Other programs: run without a shell, their failure told in one sentence; or left running."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.errors import PodpathError, Terminated

PATIENCE = 20.0
"""Seconds that a program has to end after an interrupt: pulumi writes down what it has made."""


KNOWN = (
    (r"no space left on device", "the disk is full: make room, then run the command again"),
    (
        r"permission denied .*docker",
        "Docker refuses this user: add it to the group `docker`, or run this as root",
    ),
    (
        r"Cannot connect to the Docker daemon|failed to connect to the docker API|error during connect",
        "no Docker Engine answers: start Docker",
    ),
    (
        r"non-overlapping IPv4 address pool|address pools have been fully subnetted",
        "Docker has no free IPv4 range for another network: remove unused ones with `docker network prune`, "
        "or widen `default-address-pools` in its daemon.json",
    ),
    (
        r"Pool overlaps",
        "the range belongs to another Docker network already: choose another `podpath:outsideRange`",
    ),
    (
        r"port is already allocated|address already in use",
        "another program has a port that was to be opened",
    ),
    (r"toomanyrequests", "the image registry limits how often this address may pull: try again later"),
    (r"unable to apply caps", "the container runtime may not grant a capability that was asked for"),
)
"""What programs say (regular expressions), and what that means to the person who reads it."""
TELLING = re.compile(
    r"error|fail|cannot|can't|could not|unable|denied|refused|invalid|unknown|no such|not found|timed? ?out",
    re.IGNORECASE,
)
HINT = re.compile(r"^(?:Try|See|Usage|Run) |^Error occurred at line|--help|more information", re.IGNORECASE)


def meaning(output: str) -> str:
    """What a failed program's output means: a known problem in plain words, else its most telling line.

    That is the last one that speaks of an error, and never a hint to a manual; empty for no output.
    """
    for pattern, told in KNOWN:
        if re.search(pattern, output, re.IGNORECASE):
            return told
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    plain = [line for line in lines if not HINT.search(line)] or lines
    telling = [line for line in plain if TELLING.search(line)] or plain
    return telling[-1] if telling else ""


class CommandFailed(PodpathError):
    """A program ended with another exit code than 0; ``output`` is what it printed."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str) -> None:
        self.argv, self.returncode, self.output = list(argv), returncode, output
        told = meaning(output) or "it printed nothing"
        super().__init__(
            f"{Path(argv[0]).name} {' '.join(argv[1:3])} ended with exit code {returncode}: {told}"
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
    sink = log.open("ab") if log else None
    try:
        with subprocess.Popen(
            args,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.PIPE if data is not None else None,
            stdout=sink or subprocess.PIPE,
            stderr=subprocess.STDOUT if sink else subprocess.PIPE,
        ) as child:
            output = _communicate(child, data, timeout)
    except FileNotFoundError as error:
        raise PodpathError(f"the program {args[0]} is missing: run scripts/doctor.") from error
    except OSError as error:
        why = f"the program {args[0]} cannot be run ({error.strerror})"
        raise PodpathError(f"{why}: put one that can first on PATH.") from error
    except subprocess.TimeoutExpired as error:
        raise PodpathError(f"{args[0]} {' '.join(args[1:3])} did not end within {timeout:.0f} s.") from error
    finally:
        if sink:
            sink.close()
    out, err = ((part or b"").decode(errors="replace") for part in output)
    if check and child.returncode != 0:
        said = log.read_text(errors="replace") if log else f"{out.rstrip()}\n{err}"
        raise CommandFailed(args, child.returncode, said)
    return subprocess.CompletedProcess(args, child.returncode, out, err)


def _communicate(
    child: subprocess.Popen[bytes], data: bytes | None, timeout: float | None
) -> tuple[bytes | None, bytes | None]:
    """The child's output; after an interrupt the child may end in its own way."""
    try:
        return child.communicate(data, timeout)
    except KeyboardInterrupt as interrupt:
        _wait_for_end(child, interrupt)
        raise
    except BaseException:
        child.kill()
        raise


def _wait_for_end(child: subprocess.Popen[bytes], interrupt: KeyboardInterrupt) -> None:
    """Gives the child ``PATIENCE`` seconds to end; it is killed after them, or at the next interrupt.

    A terminal's Ctrl-C has reached the child, too. SIGTERM has not: it is passed on as SIGINT, once, for a
    second SIGINT makes pulumi end without writing down what it has made.
    """
    passed_on = False
    while True:
        if isinstance(interrupt, Terminated):
            child.send_signal(signal.SIGINT)
            passed_on = True
        try:
            child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
        except KeyboardInterrupt as again:
            if isinstance(again, Terminated) and not passed_on:
                interrupt = again
                continue
            child.kill()
        return


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
