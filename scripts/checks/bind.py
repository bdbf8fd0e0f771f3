"""One namespace has one port space: a second listener is refused (claim C3)."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive
from scripts.evidence.view import View
from scripts.transport.executor import Place

LISTEN = (
    "use Socket; for my $p (@ARGV) { socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;"
    ' my $ok = bind($s, sockaddr_in($p, INADDR_ANY)) && listen($s, 1); print "$p ", $ok ? "ok" : $!, "\\n" }'
)
"""Listens on each port in turn and prints "PORT ok" or "PORT <the error>"; every workload has perl."""


@dataclass(frozen=True)
class Bind(Check):
    """An attempt to listen on ``port``, and on the free port ``control`` to show that it can work."""

    port: int
    control: int

    def __str__(self) -> str:
        return f"to listen on {self.port} (and on {self.control} as control)"

    @property
    def expected(self) -> str:
        """EADDRINUSE."""
        return "refused, the port is taken"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """Both attempts in one program."""
        argv = ("perl", "-e", LISTEN, str(self.port), str(self.control))
        return Work(commands=(Command(place, "bind", argv),))

    def judge(self, seen: Observation) -> Finding:
        """The second listener is refused (EADDRINUSE), and the control port is free."""
        text = seen.outputs["bind"].text
        said = {line.partition(" ")[0]: line.partition(" ")[2] for line in text.splitlines()}
        taken, control = said.get(str(self.port)), said.get(str(self.control))
        if taken is None or control is None:
            return inconclusive(Failure.NO_ANSWER, f"no report on both ports: {text.strip()}")
        if control != "ok":
            why = f"the free port {self.control} is refused too: {control}"
            return inconclusive(Failure.CONTROL_FAILED, why)
        if taken == "ok":
            return failed(Failure.PORT_FREE, f"a second listener on {self.port} was accepted")
        if "in use" not in taken:
            return inconclusive(Failure.NO_ANSWER, f"listening on {self.port} failed differently: {taken}")
        return PASSED
