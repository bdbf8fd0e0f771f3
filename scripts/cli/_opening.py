"""Opens a page in the browser of whoever typed the command."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.environment import untouched
from scripts.errors import PodpathError

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def open_page(path: Path) -> str:
    """Opens a file and returns its address; raises PodpathError where no browser can be started.

    As root none is: browsers refuse that, or leave files of root's in the user's profile.
    """
    address = path.resolve().as_uri()
    if os.geteuid() == 0:
        raise PodpathError(f"no browser is started as root: open {address} yourself.")
    with _as_the_user_has_it():
        if not any(os.environ.get(name) for name in (*DISPLAYS, "BROWSER")):
            raise PodpathError(f"there is no display for a browser: open {address} where there is one.")
        try:
            opened = webbrowser.open(address)
        except (webbrowser.Error, OSError):
            opened = False
    if not opened:
        raise PodpathError(f"no browser could be started: open {address} yourself.")
    return address


@contextmanager
def _as_the_user_has_it() -> Iterator[None]:
    """Gives this process the user's own environment: a browser needs its proxies and its language."""
    ours = dict(os.environ)
    os.environ.clear()
    os.environ.update(untouched() or ours)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(ours)
