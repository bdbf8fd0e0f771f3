"""A made-up cluster whose nodes name the rules that marked packets meet, as ``nft monitor trace`` does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from scripts.transport import background
from scripts.transport.executor import CompletedExec, Place
from tests.unit.execs import untimed
from tests.unit.lies import Lies
from tests.unit.wires import GATE, End, Hop, Leg
from tests.unit.world import World

RULES = (
    ("nat", "PREROUTING", 18, "jump KUBE-SERVICES", "jump KUBE-SERVICES"),
    ("nat", "KUBE-SERVICES", 30, "ip daddr {asked} jump KUBE-SVC-MADE", "jump KUBE-SVC-MADE"),
    ("nat", "KUBE-SVC-MADE", 41, "jump KUBE-SEP-UP", "jump KUBE-SEP-UP"),
    ("nat", "KUBE-SEP-UP", 50, "dnat to {end}", "accept"),
    ("nat", "POSTROUTING", 60, "masquerade", "accept"),
)
"""Table, chain, handle, nft's words and the verdict of each rule."""
TEXTS = {
    18: '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    30: '-p tcp -m comment --comment "made up" -j KUBE-SVC-MADE',
    60: "-j MASQUERADE",
}
"""What iptables-save has in the place of some of them; it does not know the others."""
LISTED = """\
podpath-section
table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		jump KUBE-SERVICES # handle 18
	}
	chain KUBE-SERVICES {
		jump KUBE-SVC-MADE # handle 30
	}
	chain KUBE-SEP-UP {
		dnat to somewhere # handle 50
	}
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		masquerade # handle 60
	}
}
table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
	}
}
podpath-iptables
*nat
"""


class Monitored(World):
    """A world whose monitors tell the SYNs and SYN-ACKs of all connections."""

    def __init__(self, lies: Lies | None = None) -> None:
        super().__init__(lies)
        self.legs: list[Leg] = []
        self.monitors: dict[str, Place] = {}

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        words, out = untimed(argv), ""
        script = words[2] if len(words) > 2 else ""
        if script == background._START and "nft -a monitor" in " ".join(words[6:]):
            self.monitors[words[4]] = place
        elif script == background._STOP and words[4] in self.monitors:
            out = "".join(self.heard(self.monitors.pop(words[4]).node or GATE))
        else:
            return super().__call__(place, argv, stdin, timeout)
        return CompletedExec(tuple(argv), out.encode(), b"", 0, 0.1)

    def _carry(self, legs: Sequence[Leg], asked: str, path: str, nonce: str) -> None:
        self.legs += legs
        super()._carry(legs, asked, path, nonce)

    def heard(self, node: str) -> Iterator[str]:
        """What the node's monitor tells, and its lists of rules."""
        for leg in self.legs:
            for hops, flags in ((leg.hops, "syn"), (leg.back, "0x12")):
                for at, group in itertools.groupby(hops, lambda hop: hop.port[0]):
                    passed = [*group]
                    if at == node:
                        yield from met(passed, flags)
        yield LISTED
        for handle, rule in TEXTS.items():
            chain = next(chain for _, chain, number, *_ in RULES if number == handle)
            yield f"[0:0] -A {chain} {rule}\n"
        yield "COMMIT\n"


def met(hops: Sequence[Hop], flags: str) -> Iterator[str]:
    """The lines of one packet on one node."""
    first, last = hops[0], hops[-1]
    opens = flags == "syn"
    yield from packet("nat PREROUTING", first.src, first.dst, flags)
    if opens and first.dst != last.dst:
        for table, chain, handle, words, verdict in RULES[:4]:
            told = words.format(asked=first.dst[0], end=text(last.dst))
            yield f"trace id 1 ip {table} {chain} rule {told} # handle {handle} (verdict {verdict})\n"
    yield from packet("filter FORWARD", first.src, last.dst, flags)
    yield "trace id 1 ip filter FORWARD policy accept\n"
    yield from packet("nat POSTROUTING", first.src, last.dst, flags)
    if opens and first.src != last.src:
        yield "trace id 1 ip nat POSTROUTING rule masquerade # handle 60 (verdict accept)\n"


def packet(where: str, source: End, destination: End, flags: str) -> Iterator[str]:
    """The line that begins a packet's way through a base chain."""
    ends = f"ip saddr {source[0]} ip daddr {destination[0]} ip id 7 ip length 60"
    ports = f"tcp sport {source[1]} tcp dport {destination[1]} tcp flags == {flags} tcp window 64240"
    yield f'trace id 1 ip {where} packet: iif "cbr0" {ends} {ports}\n'


def text(end: End) -> str:
    """As "ip:port"."""
    return f"{end[0]}:{end[1]}"
