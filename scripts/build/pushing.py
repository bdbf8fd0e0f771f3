"""The workloads' images in a registry of the user's own, from which nodes pull them by digest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from scripts.build.workloads import DERIVED, build_all, remote_name
from scripts.errors import PodpathError
from scripts.progress import step
from scripts.transport.docker import docker
from scripts.transport.process import CommandFailed, meaning

REFUSALS = (
    (r"denied|unauthorized|authentication required", "it refuses these credentials: type docker login"),
    (r"no such host|connection refused|timeout|no route to host", "it does not answer, or its name is wrong"),
    (r"server gave HTTP response to HTTPS", "it speaks plain HTTP: see insecure-registries in dockerd(8)"),
    (r"certificate", "its certificate is not trusted: give it to the engine (/etc/docker/certs.d)"),
)
"""What `docker push` says (regular expressions), and what that means."""


def push_all(
    registry: str,
    build: Callable[[], Mapping[str, str]] = build_all,
    names: Sequence[str] = DERIVED,
) -> dict[str, str]:
    """Builds what is missing, pushes ``names`` below ``registry``, and returns workload → image by digest.

    Raises PodpathError in one sentence when the registry refuses.
    """
    tags = build()
    return {name: _push(tags[name], registry) for name in names}


def _push(tag: str, registry: str) -> str:
    """Pushes an image under a name of the registry, which is taken from the engine again."""
    remote = remote_name(tag, registry)
    docker("tag", tag, remote)
    try:
        with step(f"push {remote}"):
            told = docker("push", remote)
    except CommandFailed as failed:
        raise PodpathError(f"{registry} did not take {remote}: {refusal(failed.output)}.") from failed
    finally:
        docker("image", "rm", remote, check=False)
    digest = re.search(r"digest: (sha256:[0-9a-f]{64})", told)
    if digest is None:
        raise PodpathError(f"docker push of {remote} named no digest: run it by hand and read what it says.")
    return f"{remote.rpartition(':')[0]}@{digest[1]}"


def refusal(output: str) -> str:
    """What a failed push means."""
    for pattern, told in REFUSALS:
        if re.search(pattern, output, re.IGNORECASE):
            return told
    return meaning(output).rstrip(".") or "it printed nothing"
