"""Exec in a container outside the cluster, by Docker."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from scripts.transport.executor import CompletedExec, Place, PodExecError, PodExecLimit, text_of

DOCKERS_OWN = (b"Error", b"Cannot connect", b"failed to connect", b"OCI runtime")
"""How Docker's own errors begin, as opposed to the program's."""


def exec_in_container(
    place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
) -> CompletedExec:
    """Runs ``argv`` in the container ``place.container``; raises PodExecError when Docker cannot."""
    begun = time.monotonic()
    command = ["docker", "exec", *(["--interactive"] if stdin else []), place.container, *argv]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout)
    except FileNotFoundError:
        raise PodExecError("the program docker is missing: run scripts/doctor") from None
    except subprocess.TimeoutExpired:
        raise PodExecLimit(f"{argv[0]} in {place} did not end within {timeout:.0f} s") from None
    if done.returncode and done.stderr.startswith(
        (b"Error", b"Cannot connect", b"failed to connect", b"OCI runtime")
    ):
        raise PodExecError(text_of(done.stderr).strip().splitlines()[0][:200])
    return CompletedExec(tuple(argv), done.stdout, done.stderr, done.returncode, time.monotonic() - begun)
