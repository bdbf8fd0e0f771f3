"""The largest packet that passes in one piece, and what is said about one that is larger (claim K1).

A datagram that must not be fragmented (IP_MTU_DISCOVER, ip(7)) is refused at once if it is larger than the
MTU that the kernel knows for the path; a router with a smaller one says so by ICMP. Where neither does, it is
lost in silence: a black hole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.destinations import Pod
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence.view import View
from scripts.transport.executor import Place

HEADERS = 28
"""Octets of IPv4 and UDP before a datagram's own."""
LEAST = 576
"""Octets of a packet that every host takes (RFC 791)."""
SEND = """\
use Socket; my ($ip, $port, $least) = @ARGV; $| = 1;
socket(my $s, PF_INET, SOCK_DGRAM, 0) or die "socket: $!\\n";
setsockopt($s, 0, 10, pack("i", 2)) or die "IP_MTU_DISCOVER: $!\\n";
connect($s, sockaddr_in($port, inet_aton($ip))) or die "connect: $!\\n";
sub mtu { unpack("i", getsockopt($s, 0, 14)) }
sub sent {
    my ($size, $tries) = @_; my ($in, $text) = ("", "");
    for (1 .. $tries) {
        if (!defined send($s, "x" x ($size - 28), 0)) { return $!{EMSGSIZE} ? "big" : "error" }
        vec($in, fileno $s, 1) = 1;
        next unless select($in, undef, undef, 0.3);
        if (defined recv($s, $text, 65535, 0)) { return "passed" if (split / /, $text)[2] == $size - 28 }
        elsif ($!{EMSGSIZE}) { return "big" }
        elsif ($!{ECONNREFUSED}) { return "refused" }
    }
    return "lost";
}
my $known = mtu();
print "mtu $known\\n";
my $end = sent($known, 3);
print "sent $known $end\\n";
for (1 .. 4) {
    last if $end ne "big" or mtu() == $known;
    $known = mtu();
    $end = sent($known, 3);
    print "mtu $known\\nsent $known $end\\n";
}
if ($end eq "lost") {
    my ($low, $high) = ($least, $known);
    while ($high - $low > 1) {
        my $try = int(($low + $high) / 2);
        sent($try, 2) eq "passed" ? ($low = $try) : ($high = $try);
    }
    print "sent $low " . sent($low, 3) . "\\n";
}
my $more = $known + 1;
print "sent $more " . sent($more, 3) . "\\n";
"""
"""Prints "mtu <octets>", what the kernel knows of the path, and "sent <octets> passed", or lost, big, ..."""
_LINE = re.compile(r"(mtu|sent) (\d+) ?(\w*)")


@dataclass(frozen=True)
class Largest(Check):
    """Datagrams that must not be fragmented: as large as the path's MTU, and one octet larger."""

    to: Pod

    def __str__(self) -> str:
        return f"{self.to} by the largest packet of the path's MTU, and one octet more"

    @property
    def expected(self) -> str:
        """The first passes, the second does not, with a word."""
        return "it passes whole, and one octet more is refused as too big"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """One program."""
        target = self.to.target(place, view)
        argv = ("perl", "-MErrno", "-e", SEND, target.address, str(target.port), str(LEAST))
        return Work(commands=(Command(place, "largest", argv),), target=target)

    def judge(self, seen: Observation) -> Finding:
        """By the two sizes, or by the largest one that passed."""
        output = seen.outputs["largest"]
        found = [match for match in map(_LINE.fullmatch, output.text.splitlines()) if match]
        mtus = [int(match[2]) for match in found if match[1] == "mtu"]
        ends = {int(match[2]): match[3] for match in found if match[1] == "sent"}
        if output.returncode or not mtus or len(ends) < 2:
            why = f"the program ended with {output.returncode}: {output.text.strip()[-200:]}"
            return inconclusive(Failure.LOST_EXIT_CODE, why)
        mtu, way = mtus[-1], f"from {seen.step.place} to {self.to}"
        if ends.get(mtu) == "refused":
            return failed(Failure.REFUSED, f"nobody listens for datagrams {way}")
        passes = max((size for size, end in ends.items() if end == "passed"), default=0)
        if not passes:
            why = f"no datagram {way} was answered, not even a packet of {min(ends)} octets"
            return failed(Failure.TIMED_OUT, why)
        if passes < mtu:
            why = f"packets {way} pass up to {passes} octets; larger ones are lost in silence"
            return failed(Failure.SIZE_LOST, f"{why}, although the path's MTU is said to be {mtu}")
        if ends.get(mtu + 1) != "big":
            what = {"passed": "passes as well", "lost": "is lost in silence"}
            end = what.get(ends.get(mtu + 1, ""), "is not told to be too big")
            return failed(Failure.SIZE_LOST, f"a packet of {mtu} octets passes {way}, one octet more {end}")
        smaller = f" (an ICMP message said so; the interface takes {mtus[0]})" if len(mtus) > 1 else ""
        return passed(f"a packet of {mtu} octets passes in one piece, {mtu + 1} are too big{smaller}")
