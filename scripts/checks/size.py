"""Any size passes, both ways: what one small request cannot see (claim K1).

A path that loses large packets in silence answers every small request. Bodies around a segment of the path's
MTU, and of 1 MiB, show it, and from which size on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from scripts.checks.base import Check, Command, Observation, Work, requests_to
from scripts.checks.peers import Destination
from scripts.checks.request import echoed, failure_of
from scripts.checks.verdict import Failure, Finding, failed, inconclusive, passed
from scripts.evidence.curl import Answer, client_report
from scripts.evidence.identity import HEADER_NONCE
from scripts.evidence.view import View
from scripts.transport.executor import Place, printable
from scripts.transport.frames import Output
from scripts.transport.tokens import token

DOWN = (200, 600, 900, 1000, 1050, 1200, 1400, 4096, 65536, 1 << 20)
"""Octets of a body that is asked for: the headers beside it take about 400 of the first segment."""
UP = (200, 1000, 1400, 65536, 1 << 20)
"""Octets of a body that is sent."""
PATIENCE = 4.0
"""Seconds for one body: a mebibyte takes milliseconds, and a lost segment is sent again within one."""


@dataclass(frozen=True)
class Downloads(Check):
    """GETs of growing parts of a file: the answers' packets grow until they are full."""

    to: Destination

    def __str__(self) -> str:
        return f"{self.to} for bodies of {DOWN[0]} octets to 1 MiB"

    @property
    def expected(self) -> str:
        """All of each."""
        return "each arrives whole"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """One request per size."""
        target = self.to.target(place, view)
        asked = requests_to(target, probe, "/bytes", times=len(DOWN), total=PATIENCE)
        return Work(
            tuple(replace(one, range=f"0-{size - 1}") for one, size in zip(asked, DOWN, strict=True)),
            target=target,
        )

    def judge(self, seen: Observation) -> Finding:
        """From which size on answers are lost."""
        if len(seen.answers) != len(DOWN):
            return inconclusive(Failure.LOST_EXIT_CODE, "not every size was reported")
        answers = dict(zip(DOWN, seen.answers, strict=True))
        return _judged(seen, answers, "size_download", f"answers of {self.to}")


@dataclass(frozen=True)
class Uploads(Check):
    """POSTs of growing bodies: the requests' packets grow until they are full."""

    to: Destination

    def __str__(self) -> str:
        return f"{self.to} to take bodies of {UP[0]} octets to 1 MiB"

    @property
    def expected(self) -> str:
        """All of each, acknowledged under its nonce."""
        return "each arrives whole"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """One curl per size, side by side: curl's configuration file cannot generate a body."""
        target, nonce = self.to.target(place, view), f"{probe}.{token(4, probe)}"
        report = f"%{{json}}\\t%header{{{HEADER_NONCE}}}\\n"
        commands = []
        for size in UP:
            head = ["--header", f"{HEADER_NONCE}: {nonce}.{size}", "--header", "Expect:"]
            head += ["--header", f"Host: {target.host}"] if target.host else []
            limits = ["--noproxy", "*", "--max-time", f"{PATIENCE:g}", "--output", "/dev/null"]
            curl = ["curl", "-q", "-s", *limits, *head, "--data-binary", "@-", "--write-out", report]
            program = 'size=$1; shift; head -c "$size" /dev/zero | "$@"'
            argv = ("sh", "-c", program, "sh", str(size), *curl, target.url("http", "/sink"))
            commands.append(Command(place, str(size), argv))
        return Work(commands=tuple(commands), target=target, nonce=nonce)

    def judge(self, seen: Observation) -> Finding:
        """From which size on requests are lost."""
        answers = {}
        for size in UP:
            answer = _reported(f"{seen.step.work.nonce}.{size}", seen.outputs[str(size)])
            if answer is None:
                return inconclusive(Failure.LOST_EXIT_CODE, f"no report on {size} octets")
            answers[size] = answer
        return _judged(seen, answers, "size_upload", f"requests to {self.to}")


def _reported(nonce: str, output: Output) -> Answer | None:
    """What curl reports on one POST: its JSON, and the nonce that the server returned."""
    report, _, echo = output.text.partition("\n")[0].partition("\t")
    client = client_report(report, "size_upload")
    numbers = ("exitcode", "http_code", "local_port", "size_upload")
    if client is None or not all(isinstance(client[name], int) for name in numbers):
        return None
    return Answer(nonce, client, {HEADER_NONCE: printable(echo)} if echo else {})


def _judged(seen: Observation, answers: Mapping[int, Answer], octets: str, what: str) -> Finding:
    """Looks for the size from which on bodies are lost.

    If no connection is established, nothing passes, or something else answered, size is not the cause.
    """
    lost = [size for size, answer in answers.items() if answer.exitcode]
    for size, answer in answers.items():
        if wrong := _otherwise(seen, answer, size, octets):
            return wrong
    if not lost:
        return passed(f"{len(answers)} sizes up to 1 MiB arrived whole")
    whole = [size for size in answers if size not in lost]
    if not whole:
        finding = failure_of(seen, answers[lost[0]])
        return replace(finding, why=f"{finding.why}; the same for every size")
    source = f"seen from {seen.step.place}"
    if max(whole) < min(lost):
        arrive = f"{what} with bodies of up to {max(whole)} octets arrive"
        why = f"{arrive}, from {min(lost)} octets on they are lost: none was whole within {PATIENCE:g} s"
        return failed(Failure.SIZE_LOST, f"{why} ({source})")
    why = f"{what} with bodies of {_list(lost)} octets were lost, those of {_list(whole)} not"
    return failed(Failure.SIZE_LOST, f"{why} ({source})")


def _otherwise(seen: Observation, answer: Answer, size: int, octets: str) -> Finding | None:
    """What is wrong with an answer besides that it was lost on an open connection, if anything is."""
    if answer.exitcode:
        return None if answer.connected else failure_of(seen, answer)
    if answer.status not in (200, 206):
        return failed(Failure.WRONG_STATUS, f"HTTP status {answer.status} for {size} octets")
    if wrong := echoed(answer):
        return wrong
    if answer.client[octets] != size:
        return failed(Failure.UNEXPECTED_ANSWER, f"{answer.client[octets]} octets passed instead of {size}")
    return None


def _list(sizes: Iterable[int]) -> str:
    return ", ".join(map(str, sizes))
