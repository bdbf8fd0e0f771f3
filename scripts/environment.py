"""The user's environment, made harmless once when a command starts: every program that it runs inherits it.

Variables that would change what our programs do are taken out of this process's environment: those of
kind, Pulumi, kubectl and Docker's client, and the proxies, which would stand between podpath and loopback or
the cluster's own addresses (Python's gRPC and websocket libraries use them for every address). Programs that
download something get the proxies back. Where the engine is (DOCKER_HOST and its like) stays the user's
choice, as do indexes, module proxies and certificates.
"""

from __future__ import annotations

import os
import pwd
import re
import resource
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
THEIRS = (
    *("KIND_", "PULUMI_", "KUBE", "DOCKER_", "BUILDX_", "BUILDKIT_", "GRPC_", "NO_GRPC_", "OTEL_"),
    "PODPATH_",
    "SSLKEYLOGFILE",  # Python's TLS fails if it cannot be written
    *("LC_", "LANG"),  # programs whose words are read speak English
)
"""How the names of variables begin, in capitals, that would change what our programs do."""
KEPT = (
    *("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_AUTH_CONFIG"),
)
"""The passphrase may be the user's own: it opens the secrets of stacks/Pulumi.*.yaml."""
SET = {"LC_ALL": "C.UTF-8", "KUBERC": "off"}
"""What our programs are given instead; a kuberc(5) of the user's would change what kubectl's verbs do."""
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where dockerd and iptables are, which a user's PATH may not have."""
FILES = 4096
"""Open files that this process may have at once, where that can be had."""
_kept: dict[str, str] = {}
_before: dict[str, str] = {}


def make_harmless(environ: MutableMapping[str, str] = os.environ) -> None:
    """Makes ``environ`` harmless; ``downloading`` still knows the proxies, and ``untouched`` all of it."""
    _before.update(environ)
    for name in [*environ]:
        if name.lower() in PROXIES:
            _kept[name] = environ.pop(name)
        elif name.upper().startswith(THEIRS) and name not in KEPT:
            del environ[name]
    environ.update(SET)
    path = environ.get("PATH") or os.defpath
    environ["PATH"] = os.pathsep.join([path, *(one for one in SBIN if one not in path.split(os.pathsep))])
    for name in ("TMPDIR", "TEMP", "TMP"):
        if name in environ and not _usable(environ[name]):
            del environ[name]
    if not environ.get("HOME", "").startswith("/"):
        environ["HOME"] = _home()
    _about_the_terminal(environ)


def untouched() -> dict[str, str]:
    """The environment as the user has it, for a program of the user's own; empty if nothing was changed."""
    return dict(_before)


def also_download_by(proxies: Mapping[str, str]) -> None:
    """Gives programs that download these proxies too, where the environment names none of the kind."""
    for name, value in proxies.items():
        if not (_kept.get(name) or _kept.get(name.upper())):
            _kept[name] = value


def stand_firmly() -> None:
    """Leaves a working directory that is gone, and asks for as many open files as are needed and allowed."""
    try:
        Path.cwd()
    except OSError:
        os.chdir("/")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def downloading() -> dict[str, str]:
    """The user's proxy variables, for programs that fetch something from outside.

    Some programs, such as Go's, do not know ALL_PROXY: they get it as the proxy of each protocol.
    """
    proxies = dict(_kept)
    every = proxies.get("all_proxy") or proxies.get("ALL_PROXY")
    for name in ("http_proxy", "https_proxy") if every else ():
        if not (proxies.get(name) or proxies.get(name.upper())):
            proxies[name] = str(every)
    for name in ("no_proxy", "NO_PROXY"):
        if name in proxies:
            proxies[name] = ",".join(proxies[name].replace(",", " ").split())
    return proxies


def build_arguments() -> list[str]:
    """The same variables for ``docker build``, whose steps see only the arguments that they are given."""
    return [word for name, value in downloading().items() for word in ("--build-arg", f"{name}={value}")]


def _about_the_terminal(environ: MutableMapping[str, str]) -> None:
    """Drops sizes that are none, and lets a terminal that knows no colour have none."""
    for name in ("COLUMNS", "LINES", "TERMINAL_WIDTH"):
        size = environ.get(name, "0")
        if name in environ and not (re.fullmatch(r"[1-9][0-9]{0,3}", size)):
            del environ[name]
    if environ.get("TERM") in ("dumb", "unknown"):
        environ["NO_COLOR"] = "1"
    elif environ.get("NO_COLOR") == "":  # counts for nothing: https://no-color.org
        del environ["NO_COLOR"]


def _usable(folder: str) -> bool:
    """Whether temporary files can be made in it, wherever a program runs."""
    return folder.startswith("/") and Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _home() -> str:
    """The user's home as the system has it; of a user that it does not know, the folder of the caches."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return os.environ.get("XDG_CACHE_HOME", "/")
