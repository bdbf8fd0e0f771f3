"""Reads what ``conntrack -L -o extended`` prints: the kernel's own account of each connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from scripts.ends import end_of

_TUPLE = re.compile(r"\bsrc=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")
_STATE = re.compile(r"\b(?:tcp\s+6\s+\d+\s+([A-Z_0-9]+)\b|udp\s+17\s+\d+ )")


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Entry:
    """A connection as netfilter tracks it: ``reply`` is the direction back, as netfilter expects it.

    ``state`` is empty for UDP.
    """

    original: Flow
    reply: Flow
    state: str
    line: str

    @property
    def translated(self) -> bool:
        """Whether netfilter rewrites any address or port of it."""
        return self.reply != self.original.mirrored


def parse(text: str) -> list[Entry]:
    """The TCP and UDP entries of ``conntrack -L -o extended``; lines of another form are skipped."""
    entries = []
    for line in text.splitlines():
        flows = _TUPLE.findall(line)
        state = _STATE.search(line)
        if len(flows) == 2 and state:
            original, reply = (Flow(src, dst, int(sport), int(dport)) for src, dst, sport, dport in flows)
            entries.append(Entry(original, reply, state[1] or "", line.strip()))
    return entries


class Index:
    """The entries of all nodes, found by a client's address and port; put in order when first asked."""

    def __init__(self, entries: Mapping[str, Sequence[Entry]]) -> None:
        self._entries = entries

    @cached_property
    def _by_client(self) -> dict[Hashable, list[tuple[str, Entry]]]:
        return self._ordered(lambda entry: (entry.original.src, entry.original.sport))

    @cached_property
    def _by_server(self) -> dict[Hashable, list[tuple[str, Entry]]]:
        return self._ordered(lambda entry: (entry.original.dst, entry.original.dport))

    @cached_property
    def _by_peer(self) -> dict[Hashable, list[tuple[str, Entry]]]:
        return self._ordered(lambda entry: end_of(entry.reply.dst, entry.reply.dport))

    def _ordered(self, key: Callable[[Entry], Hashable]) -> dict[Hashable, list[tuple[str, Entry]]]:
        ordered: dict[Hashable, list[tuple[str, Entry]]] = {}
        for node, found in self._entries.items():
            for entry in found:
                ordered.setdefault(key(entry), []).append((node, entry))
        return ordered

    def at(self, server: tuple[str, int]) -> list[tuple[str, Entry]]:
        """(node, entry) of the connections that asked for this address and port."""
        return self._by_server.get(server, [])

    def towards(self, peer: str, server: str) -> list[tuple[str, Entry]]:
        """(node, entry) of the connections in which ``server`` (IP) answers to ``peer`` ("address:port").

        Without the server this could be another connection: a client's port serves several destinations.
        """
        return [(node, entry) for node, entry in self._by_peer.get(peer, []) if entry.reply.src == server]

    def of(
        self, client: tuple[str, int], asked: tuple[str, int], server: str = ""
    ) -> list[tuple[str, Entry]]:
        """(node, entry) of the connections from ``client`` to the address and port ``asked``, or to the
        IP ``server``, where a node sees what another one has translated already.

        A client soon uses a port again. Of a node's connections that began alike, the ones that ``server``
        answered are meant, or the last one that was seen where it answered none.
        """
        alike: dict[tuple[str, Flow], list[Entry]] = {}
        for node, entry in self._by_client.get(client, ()):
            if (entry.original.dst, entry.original.dport) == asked or entry.original.dst == server:
                alike.setdefault((node, entry.original), []).append(entry)
        return [
            (node, entry)
            for (node, _), entries in alike.items()
            for entry in [one for one in entries if one.reply.src == server] or entries[-1:]
        ]

    def gave_way(self, node: str, entry: Entry) -> bool:
        """Whether netfilter changed the client's port only, since another connection of the client had it.

        Two connections, one of them through a Service, can start at the same port and end at the same Pod:
        their answers would look alike. Where NAT is on, netfilter gives the later one a free port, whether
        a rule asks for it or not (``nf_nat_alloc_null_binding`` in the kernel's nf_nat_core.c).
        """
        client = entry.original.src, entry.original.sport
        usual = replace(entry.reply, dst=client[0], dport=client[1])
        others = [other for at, other in self._by_client.get(client, ()) if at == node and other != entry]
        only_port = entry.reply.dst == client[0] and entry.reply != usual
        return only_port and any(other.reply == usual for other in others)
