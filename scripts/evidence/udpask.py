"""Sends a datagram from each of some source ports, and tells which were answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE = 1.0
"""Seconds for all answers: each takes less than a millisecond."""
_PROGRAM = """\
use Socket; my ($ip, $port, $patience, @own) = @ARGV; $| = 1; my %of; my $until = time + $patience + 1;
for my $own (@own) {
    socket(my $s, PF_INET, SOCK_DGRAM, 0) or die "socket: $!\\n";
    bind($s, sockaddr_in($own, INADDR_ANY)) or die "bind: $!\\n";
    connect($s, sockaddr_in($port, inet_aton($ip))) or die "connect: $!\\n";
    if (defined send($s, "podpath.$own", 0)) { $of{$own} = $s } else { print "$own error\\n" }
}
while (%of && time < $until) {
    my $in = ""; vec($in, fileno $_, 1) = 1 for values %of;
    select($in, undef, undef, $patience) or last;
    for my $own (keys %of) {
        next unless vec($in, fileno $of{$own}, 1);
        print "$own ", (defined recv($of{$own}, my $text, 65535, 0) ? "answer" : "error"), "\\n";
        delete $of{$own};
    }
}
print "$_ late\\n" for sort keys %of;
"""
_LINE = re.compile(r"^(\d+) (answer|error|late)$", re.MULTILINE)


@dataclass(frozen=True)
class Echo:
    """What came back for a datagram: "answer", "error" (an ICMP message says why), or "late" for nothing."""

    said: str

    @property
    def answered(self) -> bool:
        """Whether somebody answered it."""
        return self.said == "answer"


def argv(ip: str, port: int, own: Sequence[int]) -> list[str]:
    """The program that sends a datagram to ``ip`` and ``port`` from each port of ``own``."""
    return ["perl", "-e", _PROGRAM, ip, str(port), f"{PATIENCE:g}", *map(str, own)]


def read(text: str) -> dict[int, Echo]:
    """What came back, by source port; lines of another form are passed over."""
    return {int(port): Echo(said) for port, said in _LINE.findall(text)}
