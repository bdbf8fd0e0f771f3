"""Running a program at a source of probes: what comes back, and what can go wrong on the way."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""C0 and C1 controls but tab and line end, invisible and directional marks, and halves of surrogate pairs."""


@dataclass(frozen=True)
class CompletedExec:
    """The result of a program, named as in ``subprocess.CompletedProcess``.

    ``returncode`` is None when the transport never said how the program ended: that is not success.
    """

    args: tuple[str, ...]
    stdout: bytes
    stderr: bytes
    returncode: int | None
    seconds: float


class PodExecError(Exception):
    """The transport failed: whether the program ran, and how it ended, is unknown."""


class PodExecLimit(PodExecError):
    """The program took longer, or printed more, than it may: it is not run again."""


def text_of(data: bytes) -> str:
    """What a program or a server said, made printable: control characters but line ends and tabs are escaped.

    Whatever comes from a Pod passes through here before it reaches a terminal, a file or a page.
    """
    return printable(data.decode(errors="replace"))


def printable(text: str) -> str:
    """``text`` with control characters and invisible marks escaped, such as ESC or a change of direction."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@dataclass(frozen=True)
class Place:
    """Where a program runs: a container of a Pod, or (``pod`` empty) the outside host's container.

    ``ip`` is the Pod's own address, empty for the outside host.
    """

    container: str
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    ip: str = ""
    node: str = ""

    def __str__(self) -> str:
        return f"{self.pod}/{self.container}" if self.pod else self.container

    def command(self, *argv: str) -> str:
        """What a person types to run ``argv`` here (with the variables of scripts/env)."""
        if self.pod:
            where = f"kubectl -n {self.namespace} exec {self.pod} -c {self.container} --"
        else:
            where = f"docker exec {self.container}"
        return f"{where} {shlex.join(argv)}"


class Executor(Protocol):
    """Runs programs at places; raises PodExecError for the transport, never for an exit code."""

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        """Runs ``argv`` with ``stdin`` for at most ``timeout`` seconds."""
        ...


@dataclass(frozen=True)
class Conclusive:
    """An executor that raises PodExecError for a program of which nobody said how it ended.

    Its output may be cut off at any line, so it proves nothing, neither by what it says nor by what it lacks.
    """

    execute: Executor

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        """Runs ``argv`` at ``place``; see ``Executor``."""
        done = self.execute(place, argv, stdin, timeout)
        if done.returncode is None:
            raise PodExecError(f"the exec in {place} ended without an exit code")
        return done


def fed(argv: Sequence[str], stdin: bytes) -> list[str]:
    """``argv`` behind ``head -c``: the program's stdin ends after these bytes.

    An exec over a websocket cannot close stdin in protocol v4 (v5 can, if every hop speaks it):
    https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets
    """
    return ["sh", "-c", 'n=$1; shift; head -c "$n" | "$@"', "sh", str(len(stdin)), *argv]
