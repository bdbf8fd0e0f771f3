"""What sends datagrams in the made-up cluster prints, and what netfilter keeps of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from scripts.checks import datagrams, largest, resend, roll
from scripts.transport.executor import Place
from tests.unit.atlas import NODES, PITFALLS_NS, PODS, SERVICES, UDP, node_port, service_of_ip
from tests.unit.execs import Program
from tests.unit.lies import Lies
from tests.unit.ways import Key

SERVED = 5300
(DATAGRAM,) = UDP
Pick = Callable[[str, Key], str]
PROGRAMS = {resend.SEND: "resend", roll.ASK: "roll"}
"""What runs in the background, by its program text."""
TURNS = 40
"""Connections that a client makes before and after each change that it lives through."""


class Udp:
    """The programs that send, by their text; ``there`` says which Pods there are."""

    def __init__(
        self, lies: Lies, pick: Pick, there: Callable[[], Sequence[str]], port: Callable[[], int]
    ) -> None:
        self.lies, self.pick, self.there, self.port = lies, pick, there, port
        self.tracked: dict[str, list[str]] = defaultdict(list)

    def knows(self, argv: Sequence[str]) -> bool:
        """Whether a program is one of these."""
        return argv[0] == "conntrack" or datagrams.ASK in argv

    def ran(self, place: Place, argv: Sequence[str]) -> bytes:
        """What it prints."""
        if argv[0] == "conntrack":
            return "".join(
                f"{line}\n" for line in self.tracked[place.node] if f" dst={argv[-1]} sport" in line
            ).encode()
        ip, port, _, *nonces = argv[3:]
        return "".join(self._sent(place, ip, int(port), nonce) for nonce in nonces).encode()

    def sized(self, place: Place, argv: Sequence[str]) -> str:
        """What the search for the largest packet prints."""
        pod = next(name for name, told in PODS.items() if told[2] == argv[-3])
        limit = self.lies.packets_up_to if PODS[pod][3] != place.node else 1500
        if argv[-3] in self.lies.deaf_udp:
            limit = 0
        said = "lost" if self.lies.unsaid else "big"
        if limit >= 1500:
            return f"mtu 1500\nsent 1500 passed\nsent 1501 {said}\n"
        if not self.lies.unsaid:
            return f"mtu 1500\nsent 1500 big\nmtu {limit}\nsent {limit} passed\nsent {limit + 1} big\n"
        low = max(limit, largest.LEAST)
        return f"mtu 1500\nsent 1500 lost\nsent {low} {'passed' if limit else 'lost'}\nsent 1501 big\n"

    def _sent(self, place: Place, ip: str, port: int, nonce: str) -> str:
        own = f"{place.ip}:{self.port()}"
        pods = [name for name in self.there() if PODS[name][2] == ip]
        if service_of_ip(ip) == DATAGRAM or (ip in NODES.values() and port == node_port(DATAGRAM, SERVED)):
            pods = [self.pick(place.pod, DATAGRAM)]
        elif port != SERVED:
            return f"{nonce} {own} {'late' if self.lies.unsaid else 'error 111'}\n"
        if not pods or ip in self.lies.deaf_udp:
            return f"{nonce} {own} late\n"
        witness = next((node for node, address in NODES.items() if address == ip), place.node)
        snat = ip in NODES.values() or self.lies.udp_natted
        peer = f"{NODES[witness]}:{own.rpartition(':')[2]}" if snat else own
        self._track(witness, own, (ip, port), pods[0], peer)
        return f"{nonce} {own} answer {pods[0]} {peer} {len(nonce)} {nonce}\n"

    def _track(self, node: str, own: str, asked: tuple[str, int], pod: str, peer: str) -> None:
        (src, sport), (dst, dport) = own.split(":"), peer.split(":")
        server = "10.244.9.9" if self.lies.misrouted else PODS[pod][2]
        if not self.lies.untracked:
            self.tracked[node].append(
                f"ipv4     2 udp      17 29 src={src} dst={asked[0]} sport={sport} dport={asked[1]} "
                f"src={server} dst={dst} sport={SERVED} dport={dport} mark=0 use=1"
            )

    # --- in the background ------------------------------------------------------------------------

    def goes_on(self, program: Program) -> None:
        """A program has sent some more."""
        if program.kind == "resend":
            old = program.lines[-1].split()[-1] if program.lines else ""
            gone = old not in self.there()
            pod = old if old not in ("", "-") and not gone else self.pick(program.place.pod, DATAGRAM)
            stays = self.lies.stale and bool(program.lines) and (gone or old == "-")
            program.lines.append(f"47111 {len(program.lines)} {'-' if stays else pod}\n")
        elif program.kind == "roll":
            key = service_of_ip(program.argv[-1].split("/")[2].split(":")[0])
            assert key[0] == PITFALLS_NS and key in SERVICES
            lost = self.lies.dropped_by.get(key[1], 0) if program.lines else 0
            program.lines += ["asked 7 \n"] * lost
            program.lines += [f"asked 0 {self.pick(program.place.pod, key)}\n" for _ in range(TURNS)]
