"""What a receipt's views saw of one request: read back from the receipt, so that they can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.checks.verdict import Verdict
from scripts.ends import end_of
from scripts.runs.document import ProbeRecord

POD, NODE, CONTAINER, PEER, NONCE = (
    f"X-Podpath-{name}" for name in ("Pod", "Node", "Container", "Peer", "Nonce")
)
TRACKED = re.compile(
    r"(?P<node>[^\s:]+): .*?\bsrc=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) "
    r"(?P<unanswered>\[UNREPLIED\] )?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)"
)
WANTED = re.compile(r"connect to (\S+) port (\d+)")
PLACE = re.compile(r"(?P<name>\S+)(?: (?P<ip>[\d.]+))?(?: on (?P<node>\S+))?")


@dataclass(frozen=True)
class Tracked:
    """A connection as a node's kernel tracks it; the ends are "ip:port".

    ``source`` and ``destination`` are as the packet came, ``new_source`` and ``new_destination`` as it left.
    """

    node: str
    source: str
    destination: str
    new_source: str
    new_destination: str
    answered: bool

    @property
    def changed(self) -> tuple[str, ...]:
        """What the node rewrote."""
        rewritten = (("DNAT", self.destination, self.new_destination), ("SNAT", self.source, self.new_source))
        return tuple(name for name, before, after in rewritten if before != after)


@dataclass(frozen=True)
class Place:
    """Where a request began, from the API's view: "POD/CONTAINER IP on NODE", or a container outside."""

    name: str
    ip: str = ""
    node: str = ""


@dataclass(frozen=True)
class Seen:
    """One request in its views. ``source`` and ``destination`` are the client's; empty: not seen."""

    begin: Place
    client: Mapping[str, Any] = field(default_factory=dict)
    server: Mapping[str, str] = field(default_factory=dict)
    tracked: tuple[Tracked, ...] = ()
    source: str = ""
    destination: str = ""

    @property
    def answer(self) -> str:
        """What the client got, in words; empty if it sent no request."""
        if "exitcode" not in self.client or "http_code" not in self.client:
            return ""
        if self.client["exitcode"]:
            return f"{self.client.get('errormsg') or 'no answer'} (curl exit {self.client['exitcode']})"
        return f"HTTP {self.client['http_code']}{_took(self.client)}"

    @property
    def ok(self) -> bool:
        """Whether the client got an answer."""
        return bool(self.answer) and not self.client["exitcode"]


def seen_of(probe: ProbeRecord) -> Seen:
    """The request that tells most of a probe: of a red one the first that failed, else the first."""
    receipt = probe.receipt
    sent = [one for one in receipt.client if "http_code" in one]
    red = probe.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)
    client = next((one for one in sent if red and one.get("exitcode")), sent[0] if sent else {})
    nonce = client.get("nonce")
    answers = [one for one in receipt.server if one.get(NONCE) == nonce]
    server = answers[0] if answers else (receipt.server[0] if len(sent) == 1 and receipt.server else {})
    source, destination = _end(client, "local"), _end(client, "remote")
    tracked = _chain(receipt.kernel, source, destination, server.get(PEER, ""))
    destination = destination or _wanted(client)
    return Seen(place_of(receipt.api.get("source", "")), client, server, tracked, source, destination)


def place_of(text: object) -> Place:
    """A place as the API's view writes it."""
    found = PLACE.match(str(text))
    return Place(found["name"], found["ip"] or "", found["node"] or "") if found else Place("")


def connections(lines: Sequence[str]) -> list[Tracked]:
    """The connections among the lines of a kernel's view."""
    found = []
    for line in lines:
        if match := TRACKED.match(line):
            _, src, dst, sport, dport, _, back, to, bport, tport = match.groups()
            new_source, new_destination = end_of(to, tport), end_of(back, bport)
            ends = end_of(src, sport), end_of(dst, dport), new_source, new_destination
            found.append(Tracked(match["node"], *ends, not match["unanswered"]))
    return found


def _chain(lines: Sequence[str], source: str, destination: str, peer: str) -> tuple[Tracked, ...]:
    """The connections through which one request went, in its order: each begins as the one before went on."""
    left = connections(lines) if source or peer else []
    chain: list[Tracked] = []
    ends = source, destination
    while step := next((one for one in left if (one.source, one.destination) == ends), None):
        left.remove(step)
        chain.append(step)
        ends = step.new_source, step.new_destination
    if not chain and peer:
        chain = [one for one in left if one.new_source == peer][:1]
    return tuple(chain)


def _end(client: Mapping[str, Any], which: str) -> str:
    ip, port = client.get(f"{which}_ip"), client.get(f"{which}_port")
    return end_of(ip, port) if ip and port else ""


def _wanted(client: Mapping[str, Any]) -> str:
    """Where a client without a connection wanted to go, from its error's words."""
    found = WANTED.search(str(client.get("errormsg") or ""))
    return f"{found[1]}:{found[2]}" if found else ""


def _took(client: Mapping[str, Any]) -> str:
    seconds = client.get("time_total")
    return f" after {seconds * 1000:.0f} ms" if isinstance(seconds, int | float) else ""
