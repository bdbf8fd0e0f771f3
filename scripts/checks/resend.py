"""One UDP client with one port goes on sending while the Pod that answers it is deleted (claim K4).

netfilter knows the client's port and the Pod that it was given. As long as datagrams keep that entry alive,
they go to the old address, unless kube-proxy deletes the entry when the Pod goes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Observation, Scenario, Stage, Work
from scripts.checks.destinations import Service
from scripts.checks.peers import answering
from scripts.checks.renewal import complete, deleted, pods_of
from scripts.checks.verdict import Failure, Finding, failed, passed
from scripts.evidence.view import NotHere, View
from scripts.transport import background
from scripts.transport.executor import Place
from scripts.waiting import TIMEOUTS, Late, eventually

SEND = """\
use Socket; my ($ip, $port) = @ARGV; $| = 1;
socket(my $s, PF_INET, SOCK_DGRAM, 0) or die "socket: $!\\n";
connect($s, sockaddr_in($port, inet_aton($ip))) or die "connect: $!\\n";
my ($own) = sockaddr_in(getsockname $s);
for (my $n = 0; ; $n++) {
    my ($who, $text, $in) = ("-", "", "");
    send($s, "$n", 0);
    vec($in, fileno $s, 1) = 1;
    if (select($in, undef, undef, 0.2) && defined recv($s, $text, 65535, 0)) { ($who) = split / /, $text }
    print "$own $n $who\\n";
    select(undef, undef, undef, 0.05) if $who ne "-";
}
"""
"""Prints "<its port> <number> <Pod that answered, or ->" for one datagram after the other, for ever."""
_LINE = re.compile(r"(\d+) (\d+) (\S+)")


@dataclass(frozen=True)
class Resent:
    """One port's datagrams: how many were sent, and ``lost`` after the last answer of the Pod that went.

    ``old`` answered before it was deleted, ``new`` after that; ``problem`` says what did not come in time.
    """

    port: int = 0
    sent: int = 0
    old: str = ""
    new: str = ""
    lost: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Resend(Scenario):
    """Deletes the Pod that answers one port's datagrams and goes on sending from that port."""

    beside: ClassVar[bool] = True

    lab: str
    workload: str
    service: str
    port: int

    def __str__(self) -> str:
        return f"Service {self.service}:{self.port} from one UDP port while the Pod that answers it goes"

    @property
    def expected(self) -> str:
        """Another one answers."""
        return "another Pod answers the same port"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The datagrams are sent by the scenario."""
        if len(view.pods(self.lab, self.workload)) < 2:
            for node in view.snapshot.workers:
                answering(view, node.name)
            raise NotHere(f"{self.workload} has fewer than two Pods: none is left to answer meanwhile")
        return Work(target=Service(self.lab, self.service, self.port).target(place, view))

    def play(self, stage: Stage) -> Observation:
        """Sends, deletes, and goes on until another Pod answers and the deleted one is replaced."""
        argv = ["perl", "-e", SEND, stage.target.address, str(self.port)]
        client = background.start(stage.execute, stage.step.place, argv, " ")
        old = problem = ""
        try:
            old = eventually(
                lambda: _last(client.peek()), TIMEOUTS.follow, f"an answer of a Pod of {self.workload}"
            )
            pod = next(pod for pod in pods_of(stage, self.lab, self.workload) if pod.name == old)
            deleted(stage, pod)
            eventually(
                lambda: _last(client.peek()) not in ("", old),
                TIMEOUTS.follow,
                f"an answer to the same port of another Pod than {old}, which was deleted",
            )
            complete(stage, self.lab, self.workload, [pod.uid])
        except Late as late:
            problem = str(late)
        finally:
            printed = client.stop().stdout
        lines = _lines(printed)
        last = max((n for n, (_, who) in enumerate(lines) if who == old), default=-1)
        after = [who for _, who in lines[last + 1 :]]
        new = next((who for who in after if who != "-"), "")
        lost = after.index(new) if new else len(after)
        port = lines[0][0] if lines else 0
        return Observation(stage.step, stage.view, facts=Resent(port, len(lines), old, new, lost, problem))

    def judge(self, seen: Observation) -> Finding:
        """By who answered the same port afterwards."""
        facts: Resent = seen.facts
        if facts.problem:
            sent = f"{facts.lost} datagrams of port {facts.port} had no answer since"
            return failed(Failure.NOT_FOLLOWED, f"{facts.problem.rstrip('.')}; {sent}")
        lost = f"{facts.lost} of {facts.sent} datagrams were lost between them"
        return passed(f"from port {facts.port} first {facts.old}, then {facts.new} answered; {lost}")


def _lines(printed: bytes) -> list[tuple[int, str]]:
    found = map(_LINE.fullmatch, printed.decode(errors="replace").splitlines())
    return [(int(match[1]), match[3]) for match in found if match]


def _last(printed: bytes) -> str:
    """Who answered the last datagram, or an empty text."""
    who = [who for _, who in _lines(printed)][-1:]
    return "" if who in ([], ["-"]) else who[0]
