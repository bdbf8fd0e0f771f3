"""The parts of an exec: each request of a batch, each command of a script, or the whole program.

A recording stores parts, not execs. When a probe is added, changed or removed, the batches of the run change,
but the parts of all other probes stay the same and can still be replayed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scripts.evidence.curl import KEPT
from scripts.transport.executor import CompletedExec
from tests.unit.execs import scripted, untimed

NEXT = b"next\n"
FRAME = r"{0} begin (\S+)\n(.*?){0} end (\S+) (\d+)\n"


@dataclass(frozen=True)
class Part:
    """What a part asks for, and the nonce or the frame's key that marks its answer in the exec's output."""

    asked: tuple[str, ...]
    found_by: str = ""

    @property
    def whose(self) -> str:
        """The id of the probe that asks, if the nonce or the key contains one."""
        if self.asked[0] == "curl" and "." in self.found_by:
            return self.found_by.rsplit(".", 2)[0]
        return self.found_by.partition("/")[0] if "/" in self.found_by else ""


@dataclass(frozen=True)
class Told:
    """The answer to a part; ``out`` is None if its frame or report is missing from the output.

    ``code`` is the exit code of a command, ``ended`` that of the exec (None: not reported).
    """

    out: str | None = None
    err: str = ""
    code: int = 0
    ended: int | None = 0


def text(data: bytes) -> str:
    """Bytes as text, without loss: binary data is written in hexadecimal."""
    return "hex:" + data.hex() if b"\0" in data else data.decode(errors="surrogateescape")


def data(told: str) -> bytes:
    """The bytes of ``text``."""
    return bytes.fromhex(told[4:]) if told.startswith("hex:") else told.encode(errors="surrogateescape")


def parts_of(argv: Sequence[str], stdin: bytes) -> list[Part]:
    """The parts of an exec; a program that is neither a batch of requests nor a script is one part."""
    argv = untimed(argv)
    if argv[0] == "curl" and stdin:
        return [Part(("curl", _undated(group)), _nonce(group)) for group in text(stdin).split("next\n")]
    if _framed(argv):
        return [Part(tuple(command), key) for key, command in scripted(argv[2])[1].items()]
    return [Part((*argv, text(stdin)))]


def taken_apart(argv: Sequence[str], stdin: bytes, done: CompletedExec) -> list[Told]:
    """The answer to each of ``parts_of``."""
    argv, parts, out = untimed(argv), parts_of(argv, stdin), text(done.stdout)
    if argv[0] == "curl" and stdin:
        lines: dict[str, str] = {}
        for line in out.splitlines(keepends=True):
            nonce = line.partition("\t")[0]
            lines[nonce] = lines.get(nonce, "") + _lean(line)
        codes = {nonce: _exit_code(line) for nonce, line in lines.items()}
        if any(codes.values()):  # they explain how curl ended: each keeps its own
            return [Told(lines.get(p.found_by), ended=codes.get(p.found_by, 0)) for p in parts]
        return [Told(lines.get(part.found_by), ended=done.returncode) for part in parts]
    if _framed(argv):
        mark = re.escape(scripted(argv[2])[0])
        framed = re.findall(FRAME.format(mark), out, re.DOTALL)
        frames = {begin: (body, int(code)) for begin, body, end, code in framed if begin == end}
        return [
            Told(*_swapped(frames[part.found_by]), ended=done.returncode)
            if part.found_by in frames
            else Told(ended=done.returncode)
            for part in parts
        ]
    return [Told(out, text(done.stderr), ended=done.returncode)]


def put_together(argv: Sequence[str], stdin: bytes, told: Sequence[Told]) -> CompletedExec:
    """The exec that consists of these parts, rebuilt from their answers."""
    asked, parts = untimed(argv), parts_of(argv, stdin)
    ended = next((one.ended for one in told if one.ended != 0), 0)
    if _framed(asked):
        mark = scripted(asked[2])[0]
        out = "".join(
            f"{mark} begin {part.found_by}\n{one.out}{mark} end {part.found_by} {one.code}\n"
            for part, one in zip(parts, told, strict=True)
            if one.out is not None
        )
    else:
        out = "".join(one.out or "" for one in told)
    if len(told) == 1 and not _framed(asked):
        return CompletedExec(tuple(argv), data(out), data(told[0].err), ended, 0.0)
    return CompletedExec(tuple(argv), out.encode(errors="surrogateescape"), b"", ended, 0.0)


def _framed(argv: Sequence[str]) -> bool:
    return len(argv) == 3 and argv[:2] == ["sh", "-c"] and " begin %s" in argv[2]


def _swapped(frame: tuple[str, int]) -> tuple[str, str, int]:
    return frame[0], "", frame[1]


def _nonce(group: str) -> str:
    found = re.search(r'^write-out="(\S+?)\\t', group, re.MULTILINE)
    assert found, f"a request without a nonce: {group!r}"
    return found[1]


def _undated(group: str) -> str:
    """A request without the format of its report, which may change."""
    return "".join(line for line in group.splitlines(keepends=True) if not line.startswith("write-out="))


def _lean(line: str) -> str:
    """A report with only those of curl's fields that are read; times are rounded to milliseconds."""
    nonce, *rest = line.split("\t")
    try:
        client: dict[str, Any] = json.loads(rest[0])
    except (IndexError, ValueError):
        return line
    kept = {name: _rounded(value) for name, value in client.items() if name in KEPT}
    return "\t".join([nonce, json.dumps(kept), *rest[1:]])


def _exit_code(line: str) -> int:
    try:
        return int(json.loads(line.split("\t")[1])["exitcode"])
    except (IndexError, ValueError, KeyError, TypeError):
        return 0


def _rounded(value: Any) -> Any:
    return max(round(value, 3), 0.001) if isinstance(value, float) and value else value
