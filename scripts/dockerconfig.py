"""The user's configuration of Docker's client, without the proxies that it would put into every container.

``proxies`` in config.json are for what a container downloads. Our containers, the cluster's nodes among
them, download nothing, and speak to each other by addresses that no proxy reaches.
https://docs.docker.com/engine/cli/proxy/
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from scripts.paths import cache, private_folder

KEY = "proxies"
NAMES = {"httpProxy": "http_proxy", "httpsProxy": "https_proxy", "ftpProxy": "ftp_proxy"}
NAMES |= {"noProxy": "no_proxy", "allProxy": "all_proxy"}
"""The proxies' names in config.json, and those of the variables that a container gets."""


def without_proxies(environ: MutableMapping[str, str] = os.environ) -> dict[str, str]:
    """Lets ``environ`` name a copy of the configuration without its proxies; gives them as variables.

    Where it names none, nothing is changed, and nothing is given.
    """
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    config = _read(folder / "config.json")
    if KEY not in config:
        return {}
    proxies = config.pop(KEY)
    copy = private_folder(cache() / "docker")
    for link in copy.iterdir():
        if link.is_symlink():
            link.unlink()
    for entry in folder.iterdir():
        if entry.name != "config.json":
            (copy / entry.name).symlink_to(entry.absolute())
    new = copy / f"config.{os.getpid()}"
    new.touch(mode=0o600)
    new.write_text(json.dumps(config))
    new.replace(copy / "config.json")
    environ["DOCKER_CONFIG"] = str(copy)
    default = proxies.get("default") if isinstance(proxies, Mapping) else None
    told = default if isinstance(default, Mapping) else {}
    return {NAMES[key]: str(value) for key, value in told.items() if key in NAMES and value}


def _read(file: Path) -> dict[str, Any]:
    """What the file says; nothing where it cannot be read, for then Docker's client goes on without it."""
    try:
        loaded = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
