"""UDP as a Service serves it, and without one: who answers, whom it saw, and what netfilter made of it (K4).

UDP has no connection that could be refused or established. What there is: an answer under the nonce that was
sent, silence, or ICMP's word that nobody listens, which the kernel reports at the socket.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.peers import Destination, Target
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.ends import end_of
from scripts.evidence.conntrack import Entry, parse
from scripts.evidence.view import View
from scripts.tiers import Tier
from scripts.transport.executor import Place, text_of
from scripts.transport.tokens import token

TIMES = 6
"""Datagrams, each from a port of its own: beside one other Pod, all of them meet the same one in 32 runs."""
PATIENCE = 1.0
"""Seconds for an answer: it takes less than a millisecond."""
REFUSED = 111
"""ECONNREFUSED: an ICMP message "port unreachable" came back."""
ASK = """\
use Socket; my ($ip, $port, $patience, @nonces) = @ARGV; $| = 1;
for my $nonce (@nonces) {
    socket(my $s, PF_INET, SOCK_DGRAM, 0) or die "socket: $!\\n";
    connect($s, sockaddr_in($port, inet_aton($ip))) or die "connect: $!\\n";
    my ($own, $from) = sockaddr_in(getsockname $s);
    my ($said, $text, $in) = ("late", "", "");
    vec($in, fileno $s, 1) = 1;
    if (!defined send($s, $nonce, 0)) { $said = "error " . ($! + 0) }
    elsif (select($in, undef, undef, $patience)) {
        $said = defined recv($s, $text, 65535, 0) ? "answer $text" : "error " . ($! + 0);
    }
    print "$nonce " . inet_ntoa($from) . ":$own $said\\n";
}
"""
"""Prints "<nonce> <own ip:port> answer <Pod> <ip:port seen> <octets> <nonce>", "… late" or "… error <n>"."""
_LINE = re.compile(r"(\S+) (\S+):(\d+) (?:(late)|error (\d+)|answer (\S+) (\S+) (\d+) (\S+))")


@dataclass(frozen=True)
class Datagram:
    """One that was sent from ``own`` ("ip:port"), and what came back: an answer, an error, or nothing."""

    nonce: str
    own: str
    late: bool = False
    error: int = 0
    pod: str = ""
    peer: str = ""
    echo: str = ""


@dataclass(frozen=True)
class Exchange:
    """What was sent and answered, and ``tracked``: netfilter's entry of each, as the ``witness`` node has it.

    ``problem`` says why the witness could not be asked.
    """

    datagrams: tuple[Datagram, ...]
    witness: str = ""
    tracked: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Datagrams(Scenario):
    """Datagrams to a UDP server, each from a port of its own, or (``refused``) to where nobody listens."""

    alone: ClassVar[bool] = False
    own_tier: ClassVar[Tier] = Tier.KERNEL

    to: Destination
    comes: Literal["an answer", "a refusal"] = "an answer"

    def __str__(self) -> str:
        return f"{self.to} by {TIMES} datagrams"

    @property
    def negative(self) -> bool:  # type: ignore[override]
        """A refusal may come from anybody on the way: its control shows that the Pod is reached."""
        return self.comes == "a refusal"

    @property
    def expected(self) -> str:
        """What comes back."""
        if self.comes == "a refusal":
            return "each is refused by ICMP: nobody listens"
        return "each is answered, and only what a Service does is translated"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The datagrams are sent by the scenario."""
        return Work(target=self.to.target(place, view))

    def play(self, stage: Stage) -> Observation:
        """One exec at the source, then one at the node whose netfilter tracked the datagrams first."""
        place, target, probe = stage.step.place, stage.target, stage.step.probe.id
        marks = token(4 * TIMES, probe)
        nonces = [f"{probe}.{marks[8 * n : 8 * n + 8]}" for n in range(TIMES)]
        argv = ["perl", "-e", ASK, target.address, str(target.port), f"{PATIENCE:g}", *nonces]
        done = stage.execute(place, argv, timeout=TIMES * PATIENCE + 10)
        stage.raw(f"{probe}-datagrams", done)
        sent = tuple(datagram for datagram in read(text_of(done.stdout)) if datagram.nonce in nonces)
        witness = _witness(place, target, stage.view)
        listing = ["conntrack", "-L", "-p", "udp", "-o", "extended", "-d", target.address]
        seen = stage.execute(stage.view.agent(witness), listing)
        stage.raw(f"{probe}-conntrack", seen)
        problem = "" if seen.returncode == 0 else text_of(seen.stderr).strip() or f"exit {seen.returncode}"
        own = {datagram.own for datagram in sent} | {datagram.peer for datagram in sent}
        mine = [
            entry.line
            for entry in parse(text_of(seen.stdout))
            if (entry.original.dst, entry.original.dport) == (target.address, target.port)
            and own & {*_clients(entry)}
        ]
        facts = Exchange(sent, witness, tuple(mine), problem)
        return Observation(stage.step, stage.view, facts=facts)

    def judge(self, seen: Observation) -> Finding:
        """By what came back, whom the server saw, and what netfilter did."""
        facts: Exchange = seen.facts
        place, target = seen.step.place, seen.step.work.target
        assert target is not None
        if len(facts.datagrams) < TIMES:
            why = f"only {len(facts.datagrams)} of {TIMES} datagrams were reported"
            return inconclusive(Failure.LOST_EXIT_CODE, why)
        asked = f"{target.address}:{target.port}/udp"
        late = sum(datagram.late for datagram in facts.datagrams)
        if late:
            what = "neither an answer nor a refusal" if self.negative else "no answer"
            why = f"{late} of {TIMES} datagrams from {place} to {asked} got {what} within {PATIENCE:g} s"
            return failed(Failure.TIMED_OUT, f"{why}: they were lost, or what came back was")
        errors = Counter(datagram.error for datagram in facts.datagrams if datagram.error)
        if self.negative:
            return _refused(facts, errors, f"{place} to {asked}")
        if errors:
            kind = Failure.REFUSED if errors[REFUSED] else Failure.NO_ANSWER
            how = "were refused by ICMP" if errors[REFUSED] else f"failed with errno {min(errors)}"
            return failed(kind, f"{errors.total()} of {TIMES} datagrams from {place} to {asked} {how}")
        return _misanswered(seen, facts) or _mistracked(seen, facts) or passed(_told(seen, facts))


def read(text: str) -> list[Datagram]:
    """The datagrams that ``ASK`` reports; lines of another form are skipped."""
    found = []
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            nonce, ip, port, late, error, pod, peer, _, echo = match.groups()
            own = end_of(ip, port)
            found.append(Datagram(nonce, own, bool(late), int(error or 0), pod or "", peer or "", echo or ""))
    return found


def _witness(place: Place, target: Target, view: View) -> str:
    """The node that translates: the one whose own port is asked, else that of the source."""
    asked = {node.ip: node.name for node in view.snapshot.nodes}
    return asked.get(target.address, place.node)


def _refused(facts: Exchange, errors: Counter[int], way: str) -> Finding:
    answered = [datagram.pod for datagram in facts.datagrams if datagram.pod]
    if answered:
        return failed(Failure.UNEXPECTED_ANSWER, f"{answered[0]} answered a datagram from {way}")
    if errors[REFUSED] < TIMES:
        return failed(Failure.NO_ANSWER, f"datagrams from {way} failed with errno {min(errors)}")
    return passed(f"{TIMES} datagrams, each refused (ICMP port unreachable)")


def _misanswered(seen: Observation, facts: Exchange) -> Finding | None:
    """A finding if anybody else answered, another datagram was answered, or the source was rewritten."""
    target, view = seen.step.work.target, seen.view
    assert target is not None
    service = target.service
    expected = [pod.name for pod in view.snapshot.pods if service and service.selects(pod)]
    expected = [target.pod.name] if target.pod else expected
    for datagram in facts.datagrams:
        if datagram.pod not in expected:
            why = f"{datagram.pod} answered, not one of {', '.join(sorted(expected)) or 'nobody'}"
            return failed(Failure.WRONG_RESPONDER, why)
        if datagram.echo != datagram.nonce:
            why = f"the answer carries {datagram.echo}: it is not the answer to this datagram"
            return failed(Failure.WRONG_NONCE, why)
        if datagram.peer != datagram.own and facts.witness == seen.step.place.node:
            why = f"{datagram.pod} saw {datagram.peer}, the datagram left as {datagram.own}"
            return failed(Failure.NAT_FOUND, why)
    return None


def _mistracked(seen: Observation, facts: Exchange) -> Finding | None:
    """A finding unless netfilter tracked each datagram, to the Pod that answered it."""
    if facts.problem:
        why = f"the connections of {facts.witness} could not be listed: {facts.problem}"
        return inconclusive(Failure.NO_EVIDENCE, why)
    found = parse("\n".join(facts.tracked))
    entries = {client: entry for entry in found for client in _clients(entry)}
    ips = {pod.name: pod.ip for pod in seen.view.snapshot.pods}
    for datagram in facts.datagrams:
        entry = entries.get(datagram.own) or entries.get(datagram.peer)
        if entry is None:
            why = f"netfilter on {facts.witness} tracked no datagram from {datagram.own}"
            return inconclusive(Failure.NO_EVIDENCE, why)
        if wrong := _wrongly(entry, ips.get(datagram.pod, "")):
            return failed(Failure.NO_TRANSLATION, f"{facts.witness} {wrong}: {entry.line}")
    return None


def _clients(entry: Entry) -> tuple[str, str]:
    """The client of an entry as it came, and as the server sees it: "ip:port"."""
    original, reply = entry.original, entry.reply
    return end_of(original.src, original.sport), end_of(reply.dst, reply.dport)


def _wrongly(entry: Entry, server: str) -> str:
    """How an entry does not lead to the Pod that answered, or an empty text."""
    if entry.reply.src == server:
        return ""
    return f"sent the datagram to {entry.reply.src}, but {server} answered"


def _told(seen: Observation, facts: Exchange) -> str:
    by_pod = Counter(datagram.pod for datagram in facts.datagrams)
    who = ", ".join(f"{pod} {count}" for pod, count in sorted(by_pod.items()))
    entries: Sequence[Entry] = parse("\n".join(facts.tracked))
    destination = any(entry.reply.src != entry.original.dst for entry in entries)
    source = any(entry.reply.dst != entry.original.src for entry in entries)
    nat = " and ".join(["DNAT"] * destination + ["SNAT"] * source) or "no NAT"
    return f"{who}; {nat} on {facts.witness}"
