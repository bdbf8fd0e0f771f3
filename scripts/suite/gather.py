"""Every node's connections, read repeatedly while a batch lasts: the kernel soon forgets them.

netfilter forgets a connection 10 s after it was reset and 120 s after it was closed
(nf_conntrack_tcp_timeout_*, https://docs.kernel.org/networking/nf_conntrack-sysctl.html). One slow probe must
not cost the others their evidence. For a batch shorter than ``EVERY`` seconds one look after it is enough.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from scripts.evidence.conntrack import Entry
from scripts.evidence.nodeview import Kernel, collect, connections
from scripts.evidence.view import View
from scripts.transport.executor import CompletedExec, Executor
from scripts.waiting import clock

EVERY = 4.0
"""Seconds between the end of a look and the next one."""
LIFE = 9.0
"""Seconds for which an entry surely lives: looks further apart may have missed one."""
WHAT = "connections"


class Gathering:
    """Looks at the nodes in a thread of its own while the block runs; ``joined`` adds what it saw."""

    def __init__(self, view: View, execute: Executor, clients: Collection[str]) -> None:
        self._agents, self._execute, self._asked = view.agent_places(), execute, connections(clients)
        self._seen: dict[str, dict[object, Entry]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._last = clock().now(WHAT)
        self._longest = 0.0

    def __enter__(self) -> Gathering:
        """Starts looking."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends looking."""
        self._ended.set()
        self._thread.join()

    def joined(self, kernel: Kernel) -> Kernel:
        """The last look, with the connections that earlier ones saw; sets ``late`` if some may be missing."""
        self._note()
        earlier = {node: [*entries.values()] for node, entries in self._seen.items()}
        late = f"{self._longest:.0f} s passed between two looks at them" if self._longest > LIFE else ""
        return kernel.with_connections(earlier, late)

    def _look_on(self) -> None:
        with ThreadPoolExecutor(max(1, len(self._agents))) as threads:
            while not clock().ended(self._ended, EVERY, WHAT):
                begun = clock().now(WHAT)
                kernel = collect(self._agents, self._asked, self._execute, threads, _forget, "connections")
                self._note(begun)
                for node, view in kernel.nodes.items():
                    known = self._seen.setdefault(node, {})
                    known.update({(entry.original, entry.reply): entry for entry in view.entries})

    def _note(self, at: float | None = None) -> None:
        """A look began now, or ``at`` this moment of the monotonic clock."""
        now = clock().now(WHAT) if at is None else at
        self._longest, self._last = max(self._longest, now - self._last), now


def _forget(name: str, done: CompletedExec) -> None:
    """Only the last look's raw output is kept."""
