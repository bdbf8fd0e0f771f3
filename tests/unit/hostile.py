"""A checkout of its own, whose real commands are run, with stand-ins for what is not there."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.paths import ROOT

PARTS = (
    "scripts",
    "labs",
    "stacks",
    "Pulumi.yaml",
    "__main__.py",
    "requirements.txt",
    "requirements-dev.txt",
)
NOWHERE = "http://127.0.0.1:9"
PYTHON = {"WARNINGS": "error", "OPTIMIZE": "2", "INSPECT": "1", "IOENCODING": "no-such", "UTF8": "0"}
PYTHON |= {"COERCECLOCALE": "0", "HASHSEED": "x", "SAFEPATH": "", "PLATLIBDIR": "/proc/none", "DEVMODE": "1"}
PIP = {"USER": "1", "REQUIRE_VIRTUALENV": "1", "TARGET": "/proc/none", "PREFIX": "/proc/none", "DRY_RUN": "1"}
CLIENT = {"BUILDKIT": "1", "TLS_VERIFY": "1", "TLS": "1", "CERT_PATH": "/proc/none", "API_VERSION": "0.1"}
CLIENT |= {"DEFAULT_PLATFORM": "windows/arm", "CONTENT_TRUST": "1", "CONFIG": "/proc/none"}
PULUMI = {"HOME": "/proc/none", "BACKEND_URL": "s3://none", "CONFIG_PASSPHRASE": "wrong", "STACK": "other"}
PULUMI |= {
    "SELF_MANAGED_STATE_GZIP": "1",
    "IGNORE_AMBIENT_PLUGINS": "1",
    "EXPERIMENTAL": "1",
    "ACCESS_TOKEN": "x",
}
MORE = {"KUBECONFIG": "/a:/b:::", "KIND_CLUSTER_NAME": "dev", "KIND_EXPERIMENTAL_PROVIDER": "podman"}
MORE |= {"GOFLAGS": "-none", "GOOS": "plan9", "GOPATH": "x", "GO111MODULE": "off", "CGO_ENABLED": "1"}
MORE |= {
    "TMPDIR": "/proc/none",
    "TERM": "dumb",
    "COLUMNS": "²",
    "LINES": "-1",
    "NO_COLOR": "",
    "FORCE_COLOR": "1",
}
MORE |= {
    "SSLKEYLOGFILE": "/proc/none/keys",
    "CDPATH": "/",
    "PODPATH_LABS": "none",
    "TERMINAL_WIDTH": "x",
}
MORE |= {
    "LANGUAGE": "de",
    "LC_ALL": "xx_YY.ISO-8859-1",
    "NO_PROXY": "localhost, 127.0.0.1",
    "TZ": "None/Where",
}
MORE |= dict.fromkeys(("http_proxy", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"), NOWHERE)
FAMILIES = {"PYTHON": PYTHON, "PIP_": PIP, "DOCKER_": CLIENT, "PULUMI_": PULUMI, "": MORE}
HOSTILE = {f"{family}{name}": value for family, some in FAMILIES.items() for name, value in some.items()}
"""Variables that people have, with values that would break us if they counted."""
DOCKER = """#!/bin/sh
# Docker's client and engine, as far as they are asked where no cluster is.
case "$*" in
    --version) echo "Docker version 28.2.2, build e6534b4" ;;
    "context inspect"*) echo "${DOCKER_HOST:-unix:///var/run/docker.sock}" ;;
    "version --format {{.Server.Version}}") echo 28.2.2 ;;
    "version --format {{json .Server.Components}}") echo '[{"Name":"Engine","Version":"28.2.2"}]' ;;
    "info --format {{json .}}") echo '{"ServerVersion":"28.2.2","SecurityOptions":["name=rootless"]}' ;;
esac
"""
"""It is rootless: `scripts/up` looks at it and goes no further."""
PODMAN = """#!/bin/sh
echo "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg." >&2
case "$*" in
    --version) echo "podman version 4.3.1" ;;
    "version --format"*) echo 4.3.1 ;;
    "info --format"*) echo '{"host":{"os":"linux"},"version":{"Version":"4.3.1"}}' ;;
    *) echo "Error: unrecognized command podman context" >&2; exit 125 ;;
esac
"""
NO_CONTEXT = """#!/bin/sh
case "$*" in
    --version) echo "Docker version 28.2.2, build e6534b4" ;;
    *) echo 'context "none": context not found: open meta.json: no such file' >&2; exit 1 ;;
esac
"""
PODMANS_ENGINE = DOCKER.replace('"Name":"Engine"', '"Name":"Podman Engine"')
"""Podman's API answers Docker's client, too."""
ELSEWHERE = DOCKER.replace(
    '"ServerVersion"', '"KernelVersion":"6.10.14-linuxkit","Name":"far","ServerVersion"'
)
"""A tunnel's socket is here while the engine is not."""


@dataclass(frozen=True)
class Checkout:
    """A copy of this checkout at ``root``; ``path`` is the PATH of its commands."""

    root: Path
    path: str
    cache: Path

    def run(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
        cwd: Path | None = None,
        by: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command, such as ``probe --list``; ``by`` is a shell script to run it by, as ``"$@"``."""
        command = [str(self.root / "scripts" / argv[0]), *argv[1:]]
        plain = {"PATH": self.path, "HOME": str(self.cache.parent), "XDG_CACHE_HOME": str(self.cache)}
        variables = {**plain, "LANG": "C.UTF-8", **(env or {})}
        for name in without:
            variables.pop(name, None)
        return subprocess.run(
            ["sh", "-c", by, "sh", *command] if by else command,
            env=variables,
            cwd=cwd or self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=120,
        )

    def put(self, name: str, data: str | bytes) -> Path:
        """Writes a file of the checkout's state."""
        file = self.root / ".podpath" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        return file

    def program(self, name: str, script: str) -> None:
        """Puts a program first on PATH."""
        file = Path(self.path.split(os.pathsep)[0]) / name
        file.unlink(missing_ok=True)
        file.write_text(script)
        file.chmod(0o755)


def checkout(folder: Path, name: str) -> Checkout:
    """A copy of this checkout in ``folder``, with the environment that the tests themselves run in."""
    root, bin, cache = folder / name, folder / "bin", folder / "cache"
    root.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, root / part)
    bin.mkdir()
    (bin / "python3").symlink_to(os.path.realpath(sys.executable))
    made = Checkout(root, f"{bin}:/usr/bin:/bin", cache)
    made.program("docker", DOCKER)
    for files in (["requirements.txt"], ["requirements.txt", "requirements-dev.txt"]):
        data = b"".join((root / one).read_bytes() for one in files) + sys.version.encode()
        _like(Path(sys.prefix), cache / "podpath" / f"venv-{hashlib.sha256(data).hexdigest()[:12]}")
    return made


def _like(venv: Path, link: Path) -> None:
    """A virtual environment made of another one's parts."""
    link.mkdir(parents=True)
    for part in venv.iterdir():
        (link / part.name).symlink_to(part)
    (link / "complete").touch()
