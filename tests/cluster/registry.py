"""A registry for tests: CNCF distribution in a container, at a port of this machine's loopback."""

from __future__ import annotations

import tempfile
from pathlib import Path

from scripts.build.gobuild import build
from scripts.build.toolset import group
from scripts.transport.docker import add_programs, docker, image_id

CONFIGURATION = """\
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /var/lib/registry}, delete: {enabled: true}}
http: {addr: ":5000"}
"""


def serve_registry(name: str, port: int, base: str, *options: str) -> None:
    """Starts an empty registry in a container ``name``; ``options`` are those of ``docker create``."""
    program = build(group("registry"))["registry"]
    tag = f"podpath-test/registry:{program.parent.name}"
    if not image_id(tag):
        add_programs(base, [program], tag)
    placed = ["--name", name, "--publish", f"127.0.0.1:{port}:5000", "--user", "0", *options]
    docker("create", *placed, tag, "serve", "/registry.yaml")
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / "registry.yaml").write_text(CONFIGURATION)
        docker("cp", file, f"{name}:/registry.yaml")
    docker("start", name)


def push_as(image: str, name: str, port: int) -> None:
    """Pushes a local image under an official name, such as kindest/node:v1, for who asks it as a mirror."""
    remote = f"localhost:{port}/{name}"
    docker("tag", image, remote)
    try:
        docker("push", remote)
    finally:
        docker("image", "rm", remote)
