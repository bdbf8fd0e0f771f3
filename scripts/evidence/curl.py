"""Many requests by one curl: writes its configuration and reads its answers.

Pure: nothing here runs anything. curl is Debian 12's 7.88. Facts about it that matter here:
``next`` starts a group with its own options; connections would be shared between groups, so each
request asks the server to close (and its answer must show ``num_connects`` 1); a failed connection
leaves ``local_port`` 0, while ``time_connect`` stays 0 also when only TLS failed. A name is looked up by
glibc, which would ask again after 5 s (resolv.conf(5)), when the request has long been given up: here it asks
again after one second, as TCP sends a SYN again (RFC 6298), so that one lost packet is no verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.evidence.identity import (
    HEADER_CONTAINER,
    HEADER_FORWARDED_FOR,
    HEADER_NODE,
    HEADER_NONCE,
    HEADER_PEER,
    HEADER_POD,
    HEADER_UPSTREAM_PEER,
)
from scripts.transport.executor import printable
from scripts.waiting import TIMEOUTS

HEADERS = (
    HEADER_POD,
    HEADER_NODE,
    HEADER_CONTAINER,
    HEADER_PEER,
    HEADER_NONCE,
    HEADER_UPSTREAM_PEER,
    HEADER_FORWARDED_FOR,
)
PARALLEL = 100
KEPT = (
    "exitcode",
    "errormsg",
    "http_code",
    "num_connects",
    "local_ip",
    "local_port",
    "remote_ip",
    "remote_port",
    "time_namelookup",
    "time_connect",
    "time_starttransfer",
    "time_total",
    "size_download",
)
"""What a receipt keeps of curl's own JSON."""


@dataclass(frozen=True)
class Request:
    """One GET over a connection of its own; ``host`` goes into the Host header. Times in seconds.

    ``range`` asks for a part of the body ("0-999"). ``port`` is the source port, 0 for any; where it is in
    use curl takes the next free one of ``ports``. ``padding`` adds a header of so many octets. ``family`` is
    the version of IP by which a name is looked up, 0 for either.
    """

    nonce: str
    url: str
    host: str | None = None
    connect: float = 2
    total: float = 10
    range: str = ""
    port: int = 0
    padding: int = 0
    ports: int = 1
    family: int = 0

    def argv(self) -> list[str]:
        """The same request as a person would type it."""
        header = ["--header", f"Host: {self.host}"] if self.host else []
        header += [f"--ipv{self.family}"] if self.family else []
        header += ["--range", self.range, "--output", "/dev/null"] if self.range else []
        return ["curl", "-sSik", "--max-time", f"{self.total:g}", *header, self.url]


@dataclass(frozen=True)
class Answer:
    """What curl reports on one request; ``client`` is its JSON, ``server`` the identity headers by name."""

    nonce: str
    client: dict[str, Any] = field(default_factory=dict)
    server: dict[str, str] = field(default_factory=dict)

    @property
    def exitcode(self) -> int:
        """curl's exit code for this very transfer."""
        return int(self.client["exitcode"])

    @property
    def status(self) -> int:
        """The HTTP status, 0 without an answer."""
        return int(self.client["http_code"])

    @property
    def connected(self) -> bool:
        """Whether a TCP connection was established."""
        return int(self.client["local_port"]) > 0

    @property
    def local(self) -> tuple[str, int]:
        """The client's own address and port."""
        return str(self.client["local_ip"]), int(self.client["local_port"])

    @property
    def remote(self) -> tuple[str, int]:
        """The address and port that the client connected to."""
        return str(self.client["remote_ip"]), int(self.client["remote_port"])

    @property
    def error(self) -> str:
        """curl's own error message."""
        return str(self.client.get("errormsg") or "")


Answers = tuple[Answer, ...]


def argv(parallel: int = PARALLEL, limit: float = TIMEOUTS.exec) -> list[str]:
    """The curl that reads such a configuration from its stdin, and ends within ``limit`` seconds."""
    options = ["-q", "--silent", "--show-error", "--no-progress-meter", "--parallel", "--parallel-immediate"]
    return [
        "timeout",
        "-k",
        "1",
        f"{limit:g}",
        "env",
        "RES_OPTIONS=timeout:1",
        "curl",
        *options,
        "--parallel-max",
        str(parallel),
        "--config",
        "-",
    ]


def render(requests: Iterable[Request]) -> bytes:
    """The configuration of all ``requests``."""
    return b"next\n".join(_group(request) for request in requests)


def _group(request: Request) -> bytes:
    form = "\\t".join(["%{json}", *(f"%header{{{name}}}" for name in HEADERS)])
    lines = [
        f"url={_quoted(request.url)}",
        f"header={_quoted(f'{HEADER_NONCE}: {request.nonce}')}",
        'header="Connection: close"',
        *([f"header={_quoted(f'Host: {request.host}')}"] if request.host else []),
        'output="/dev/null"',
        'noproxy="*"',
        "globoff",
        "path-as-is",
        "http1.1",
        *(["insecure"] if request.url.startswith("https:") else []),
        *([f"ipv{request.family}"] if request.family else []),
        *([f"range={request.range}"] if request.range else []),
        *([f"local-port={_ports(request)}"] if request.port else []),
        *([f'header="X-Padding: {"0" * request.padding}"'] if request.padding else []),
        f"connect-timeout={request.connect:g}",
        f"max-time={request.total:g}",
        f'write-out="{request.nonce}\\t{form}\\n"',
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _ports(request: Request) -> str:
    last = request.port + request.ports - 1
    return f"{request.port}-{last}" if last > request.port else str(request.port)


def _quoted(text: str) -> str:
    """A value as curl's configuration file has it; raises ValueError for text that is not printable."""
    if not text.isprintable():
        raise ValueError(f"not printable: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse(stdout: bytes, requests: Sequence[Request]) -> dict[str, Answer | str]:
    """By nonce: the answer, or the reason why there is no credible one.

    A missing, repeated or contradictory line is such a reason, and so is a connection that was not made
    for this very request. Its four-tuple proves nothing: the server closes, so a client's port is soon free
    for the next connection.
    """
    found: dict[str, Answer | str] = {}
    for line in stdout.decode(errors="replace").split("\n"):
        answer = _line(line)
        if answer is None:
            continue
        known = answer.nonce in found
        found[answer.nonce] = "curl reported this request twice" if known else answer
    result: dict[str, Answer | str] = {}
    for request in requests:
        seen = found.get(request.nonce, "curl did not report this request: its exit code is lost")
        if isinstance(seen, Answer):
            seen = _doubt(seen) or seen
        result[request.nonce] = seen
    return result


def _line(line: str) -> Answer | None:
    nonce, *rest = line.split("\t")
    if len(rest) != 1 + len(HEADERS):
        return None
    kept = client_report(rest[0])
    if kept is None:
        return None
    server = {name: printable(value) for name, value in zip(HEADERS, rest[1:], strict=True) if value}
    return Answer(nonce, kept, server)


def client_report(text: str, *more: str) -> dict[str, Any] | None:
    """What is kept of ``%{json}``, and ``more`` of it, made printable; None if it is not what curl writes."""
    try:
        client = json.loads(text)
        kept = {name: client[name] for name in (*KEPT, *more)}
    except (ValueError, KeyError, TypeError):
        return None
    kept["errormsg"] = printable(str(kept["errormsg"])) if kept["errormsg"] else kept["errormsg"]
    return kept


def _doubt(answer: Answer) -> str | None:
    """Why curl's own report contradicts itself, or None."""
    client = answer.client
    numbers = ("exitcode", "http_code", "num_connects", "local_port", "remote_port")
    if not all(isinstance(client[name], int) for name in numbers):
        return "curl's report holds text where a number belongs"
    if answer.exitcode == 0 and (client["errormsg"] or not answer.status or not answer.connected):
        return f"curl claims success without an answer ({answer.error or 'no status'})"
    if answer.exitcode and not client["errormsg"]:
        return f"curl's exit code {answer.exitcode} comes without its message"
    if answer.connected and (client["num_connects"] != 1 or not (answer.exitcode or client["time_connect"])):
        return "the request shared a connection with another one"
    return None
