"""Exec in the container that plays the host outside the cluster."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from scripts.probing.executor import CompletedExec, Place, PodExecError


def exec_outside(place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> CompletedExec:
    """Runs ``argv`` in the container ``place.container``; raises PodExecError when Docker cannot."""
    begun = time.monotonic()
    command = ["docker", "exec", *(["--interactive"] if stdin else []), place.container, *argv]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout)
    except FileNotFoundError:
        raise PodExecError("the program docker is missing: run scripts/doctor") from None
    except subprocess.TimeoutExpired:
        raise PodExecError(f"{argv[0]} in {place} did not end within {timeout:.0f} s") from None
    if done.returncode and done.stderr.startswith((b"Error", b"Cannot connect", b"OCI runtime")):
        raise PodExecError(done.stderr.decode(errors="replace").strip().splitlines()[0][:200])
    return CompletedExec(tuple(argv), done.stdout, done.stderr, done.returncode, time.monotonic() - begun)
