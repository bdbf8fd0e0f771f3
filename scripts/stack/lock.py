"""One at a time: commands that would disturb each other on a cluster wait, and say for whom."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.locking import locked
from scripts.paths import cache


@contextmanager
def lock(cluster: str, whose: str = "scripts/up or scripts/down") -> Iterator[None]:
    """Holds the lock that ``whose`` commands share for a cluster on this machine; waits for it and says so.

    The kernel releases it when its holder ends, however that ends. Raises PodpathError, naming the holder,
    after ``TIMEOUTS.lock`` seconds.
    """
    name = whose.split()[0].removeprefix("scripts/")
    folder = cache() / "locks"
    holder = folder / f"{cluster}.{name}.holder"
    file = folder / f"{cluster}.{name}.lock"
    with locked(file, lambda: _held(holder, whose), f"using cluster {cluster}"):
        try:
            holder.write_text(json.dumps({"pid": os.getpid(), "since": time.strftime("%H:%M:%S")}))
            yield
        finally:
            holder.unlink(missing_ok=True)


def _held(holder: Path, whose: str) -> str:
    try:
        record = json.loads(holder.read_text())
        return f"another {whose} (process {record['pid']}, since {record['since']})"
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return f"another {whose}"
