"""Debian's Chromium, which is installed where that is possible, as Playwright drives it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

APT = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
MISSING = f"Chromium is missing: type {' '.join(APT[:3])} chromium as root, on Debian"


def chromium() -> str:
    """The path of Chromium, empty where there is none and it cannot be installed."""
    if not shutil.which("chromium") and os.geteuid() == 0 and Path("/etc/debian_version").exists():
        with Path(os.devnull).open("w") as nowhere:
            for command in (APT, ["apt-get", "update", "-qq"], APT):
                if shutil.which("chromium") or subprocess.run(command, stdout=nowhere).returncode == 0:
                    break
    return shutil.which("chromium") or ""


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """A browser that ends with the block."""
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
