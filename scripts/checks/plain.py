"""A TCP connection that does not speak HTTP: an HTTP router gives it no backend (claim I10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.peers import Destination
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive
from scripts.evidence.view import View
from scripts.transport.executor import Place

CONNECT = (
    "use Socket; my ($ip, $port, $line) = @ARGV; alarm 5; socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;"
    ' connect($s, sockaddr_in($port, inet_aton($ip))) or die "$!\\n"; $| = 1; print "connected\\n";'
    ' syswrite $s, "$line\\r\\n\\r\\n"; while (sysread $s, my $said, 4096) { print $said }'
)
"""Prints "connected", sends a line and an empty one, and prints what comes back until the server closes."""


def connection(ip: str, port: int, line: str) -> tuple[str, ...]:
    """The program for one such connection; every workload has perl."""
    return ("perl", "-e", CONNECT, ip, str(port), line)


@dataclass(frozen=True)
class Plain(Check):
    """A TCP connection that sends a line and reads what comes back; it is routed to no backend."""

    negative: ClassVar[bool] = True

    to: Destination
    line: str = "HELLO podpath"

    def __str__(self) -> str:
        return f"{self.to} without HTTP ({self.line!r})"

    @property
    def expected(self) -> str:
        """What is not an HTTP request gets an error from the proxy, or a closed connection."""
        return "no backend, only the proxy's refusal"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """One connection."""
        target = self.to.target(place, view)
        argv = connection(target.address, target.port, self.line)
        return Work(commands=(Command(place, "plain", argv),), target=target)

    def judge(self, seen: Observation) -> Finding:
        """By what came back on the connection."""
        text = seen.outputs["plain"].text
        head, _, said = text.partition("\n")
        if not head.startswith("connected"):
            why = f"no connection was established: {text.strip() or 'no output'}"
            return inconclusive(Failure.NO_ANSWER, why)
        if "x-podpath-pod" in said.lower():
            why = f"a backend answered a request that is not HTTP: {said[:200]!r}"
            return failed(Failure.UNEXPECTED_ANSWER, why)
        refused = re.match(r"HTTP/1\.[01] 4\d\d ", said)
        if said.strip() and not refused:
            why = f"something other than a refusal came back: {said[:200]!r}"
            return inconclusive(Failure.NO_ANSWER, why)
        return PASSED
