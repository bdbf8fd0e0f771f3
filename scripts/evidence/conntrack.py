"""Reads what ``conntrack -L -o extended`` prints: the kernel's own account of each connection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TUPLE = re.compile(r"\bsrc=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")
_STATE = re.compile(r"\btcp\s+6\s+\d+\s+([A-Z_0-9]+)\b")


@dataclass(frozen=True)
class Flow:
    """One direction of a connection."""

    src: str
    dst: str
    sport: int
    dport: int

    @property
    def mirrored(self) -> Flow:
        """The other direction as it is without any translation."""
        return Flow(self.dst, self.src, self.dport, self.sport)


@dataclass(frozen=True)
class Entry:
    """A connection as netfilter tracks it: ``reply`` is the direction back, as it expects it."""

    original: Flow
    reply: Flow
    state: str
    line: str

    @property
    def translated(self) -> bool:
        """Whether netfilter rewrites any address or port of it."""
        return self.reply != self.original.mirrored


def parse(text: str) -> list[Entry]:
    """The TCP entries of ``conntrack -L -p tcp -o extended``; lines of another form are no entries."""
    entries = []
    for line in text.splitlines():
        flows = _TUPLE.findall(line)
        state = _STATE.search(line)
        if len(flows) == 2 and state:
            original, reply = (Flow(src, dst, int(sport), int(dport)) for src, dst, sport, dport in flows)
            entries.append(Entry(original, reply, state[1], line.strip()))
    return entries


class Index:
    """The entries of all nodes, found by a client's address and port."""

    def __init__(self, entries: Mapping[str, Iterable[Entry]]) -> None:
        self._by_client: dict[tuple[str, int], list[tuple[str, Entry]]] = {}
        self._by_peer: dict[str, list[tuple[str, Entry]]] = {}
        self._by_server: dict[tuple[str, int], list[tuple[str, Entry]]] = {}
        for node, found in entries.items():
            for entry in found:
                key = (entry.original.src, entry.original.sport)
                self._by_client.setdefault(key, []).append((node, entry))
                server = (entry.original.dst, entry.original.dport)
                self._by_server.setdefault(server, []).append((node, entry))
                peer = f"{entry.reply.dst}:{entry.reply.dport}"
                self._by_peer.setdefault(peer, []).append((node, entry))

    def at(self, server: tuple[str, int]) -> list[tuple[str, Entry]]:
        """(node, entry) of the connections that asked for this address and port."""
        return self._by_server.get(server, [])

    def towards(self, peer: str, server: str) -> list[tuple[str, Entry]]:
        """(node, entry) of the connections in which ``server`` (IP) answers to ``peer`` ("address:port").

        Without the server it could be another one: a client's port serves several destinations at once.
        """
        return [(node, entry) for node, entry in self._by_peer.get(peer, []) if entry.reply.src == server]

    def of(
        self, client: tuple[str, int], asked: tuple[str, int], server: str = ""
    ) -> list[tuple[str, Entry]]:
        """(node, entry) of the connections from ``client`` to the address and port ``asked``, or to the
        IP ``server``, where a node sees what another one has translated already."""
        return [
            (node, entry)
            for node, entry in self._by_client.get(client, ())
            if (entry.original.dst, entry.original.dport) == asked or entry.original.dst == server
        ]
