"""Which images can be pulled now, as the Docker Engine sees it, and pulling them.

What Docker has already, by ``docker load`` or an earlier pull, is not pulled again. Each image is asked for
once in a command. Where the network is cut off, that takes ``PATIENCE`` at most: a registry that said nothing
within it is not asked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from scripts.build.engineplace import socket
from scripts.errors import PodpathError
from scripts.progress import step
from scripts.transport.docker import docker, image_id
from scripts.transport.engineapi import registry_status

PATIENCE = 5.0
"""Seconds in which a registry has to answer before anything is pulled from it."""
PULL_SECONDS = 1800.0
"""The deadline of one pull: 600 MB at 3 Mbit/s."""
THERE = 200
LIMITED = (401, 403, 429)
"""Statuses of a registry that answers, but not to somebody without credentials, as which it is asked."""
ABSENT = 404
HUB = "docker.io"


class Registries:
    """What the engine can pull. ``off``: nothing, whatever is in reach."""

    def __init__(self, off: bool = False) -> None:
        self.off = off
        self._statuses: dict[str, int] = {}
        self._silent: set[str] = set()

    def ask(self, images: Iterable[str]) -> None:
        """Asks for these images at the same time, so that ``has`` knows them."""
        wanted = [] if self.off else [image for image in {*images} if image not in self._statuses]
        self._statuses.update(dict.fromkeys(filter(image_id, wanted), THERE))
        unknown = [image for image in wanted if image not in self._statuses]
        asked = [image for image in unknown if host_of(image) not in self._silent]
        if not asked:
            return
        where = socket()
        with ThreadPoolExecutor(len(asked)) as pool:
            told = [*pool.map(lambda image: registry_status(where, image, PATIENCE), asked)]
        self._statuses.update(zip(asked, told, strict=True))
        self._silent |= {host_of(image) for image, status in zip(asked, told, strict=True) if not status}

    def has(self, image: str) -> bool:
        """Whether a registry in reach has the image, or may have it."""
        self.ask([image])
        status = self._statuses.get(image, 0)
        # An engine before 24 does not ask the official registry for what its mirror has not, but pulls it.
        elsewhere = status == ABSENT and host_of(image) == HUB and self.mirrored
        return status == THERE or status in LIMITED or elsewhere

    @cached_property
    def mirrored(self) -> bool:
        """Whether the engine has a mirror of Docker Hub to ask first."""
        return bool(json.loads(docker("info", "--format", "{{json .RegistryConfig.Mirrors}}") or "null"))

    def pulled(self, image: str) -> bool:
        """Whether Docker has the image, by pulling it where a registry in reach has it."""
        if not self.has(image):
            return False
        if image_id(image):
            return True
        try:
            with step(f"pull {_shown(image)}"):
                docker("pull", "--quiet", image, timeout=PULL_SECONDS)
        except PodpathError:
            return False
        return True


def _shown(image: str) -> str:
    """The image's name, with the beginning of its digest where it is pinned."""
    name, _, digest = image.partition("@")
    return f"{name} ({digest[:15]}…)" if digest else name


def host_of(image: str) -> str:
    """The registry of an image's name; Docker Hub where it names none."""
    first, slash, _ = image.partition("/")
    return first if slash and (set(first) & {".", ":"} or first == "localhost") else HUB
