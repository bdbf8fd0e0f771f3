"""How the made-up cluster's curl reads its configuration and reports: see ``scripts.evidence.curl``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.evidence.curl import HEADERS

REFUSED = {"exitcode": 7, "errormsg": "Couldn't connect to server"}
TIMED_OUT = {"exitcode": 28, "errormsg": "Operation timed out after 1000 milliseconds"}


def options(group: str) -> dict[str, list[str]]:
    """The options of one transfer."""
    found: dict[str, list[str]] = {}
    for line in group.splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value.strip('"'))
    return found


def client(seen: Mapping[str, Any]) -> dict[str, Any]:
    """curl's own JSON of one transfer; ``seen`` is what is not as it is before anything happens."""
    full: dict[str, Any] = {"exitcode": 0, "errormsg": None, "http_code": 0, "num_connects": 0}
    full |= {"local_ip": "", "local_port": 0, "remote_ip": "", "remote_port": 0, "time_namelookup": 0}
    full |= {"size_download": 0, "size_upload": 0}
    return full | {"time_connect": 0.001, "time_starttransfer": 0.002, "time_total": 0.002, **seen}


def report(nonce: str, seen: Mapping[str, Any], server: Mapping[str, str]) -> str:
    """The line that tells of one transfer: what the client saw, and the headers of who answered."""
    told = json.dumps(client(seen))
    return "\t".join([nonce, told, *(server.get(header, "") for header in HEADERS)]) + "\n"


def asked_for(group: Mapping[str, list[str]]) -> int:
    """How many octets of a body a transfer asks for, 0 for all that there is."""
    first, _, last = group.get("range", [""])[0].partition("-")
    return int(last) - int(first) + 1 if last else 0


def value_of(argv: Sequence[str], start: str) -> str:
    """The header that begins so, out of a command line."""
    return next((arg.removeprefix(start) for arg in argv if arg.startswith(start)), "")


SEGMENT = 1448
"""Octets that TCP puts into one packet, whose own headers are 52."""


def heaviest(head: int, body: int) -> int:
    """The octets of the fullest packet of a request or an answer."""
    return min(head + body, SEGMENT) + 52
