"""Asks one DNS server for one name, from a Pod, to tell apart servers that are silent, refuse, or are stale.

The C library asks whichever server resolv.conf names and reports one outcome for all; this asks each server
by its own address. Perl's sockets are all it needs (perl-base is in every Debian image). The form of the
messages is that of RFC 1035. Only what perl-base has is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SERVICE = ("kube-system", "kube-dns")
"""The cluster's DNS Service, as every distribution names it for compatibility."""
PATIENCE = 1.5
"""Seconds for the replies of all servers, which are asked at the same time."""
_PROGRAM = r"""
use Socket; my ($name, @servers) = @ARGV;
my $question = join("", map { pack("C/a*", $_) } split(/\./, $name)) . pack("Cnn", 0, 1, 1);
my (%at, %told);
for my $server (@servers) {
  socket(my $s, AF_INET, SOCK_DGRAM, 17) or next;
  connect($s, sockaddr_in(53, inet_aton($server))) or next;
  send($s, pack("nnnnnn", $$ & 65535, 256, 1, 0, 0, 0) . $question, 0);
  $at{$server} = $s; $told{$server} = "silent";
}
my $left = LIMIT;
while (%at) {
  my $bits = ""; vec($bits, fileno $_, 1) = 1 for values %at;
  (my $ready, $left) = select($bits, undef, undef, $left);  # Linux tells the time that is left
  last if $ready < 1;
  for my $server (grep { vec($bits, fileno $at{$_}, 1) } keys %at) {
    $told{$server} = "refused";
    if (defined recv($at{$server}, my $reply, 1500, 0)) {
      my ($id, $flags) = unpack("nn", $reply);
      my @ips; while ($reply =~ /\x00\x01\x00\x01.{4}\x00\x04(.{4})/gs) { push @ips, inet_ntoa($1) }
      $told{$server} = "rcode=" . ($flags & 15) . " " . join(",", @ips);
    }
    delete $at{$server};
  }
}
print "$_ $told{$_}\n" for keys %told;
""".replace("LIMIT", f"{PATIENCE:g}")
_LINE = re.compile(r"^(\S+) (silent|refused|rcode=(\d+) ?(\S*))$", re.MULTILINE)
_CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


@dataclass(frozen=True)
class DnsReply:
    """What a server said: ``code`` is the RCODE's name, "silent" or "no listener"; ``ips`` its addresses."""

    code: str
    ips: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing came."""
        return self.code == "silent"


def argv(name: str, servers: tuple[str, ...]) -> list[str]:
    """The program that asks each of ``servers`` (IPs) for the IPv4 address of ``name``."""
    return ["perl", "-e", _PROGRAM, name, *servers]


def read(text: str) -> dict[str, DnsReply]:
    """The replies by server; a server of which nothing is told is left out. Never raises."""
    found = {}
    for server, what, code, ips in _LINE.findall(text):
        if code:
            number = int(code)
            found[server] = DnsReply(
                _CODES.get(number, f"RCODE {number}"), tuple(filter(None, ips.split(",")))
            )
        else:
            found[server] = DnsReply("silent" if what == "silent" else "no listener")
    return found
