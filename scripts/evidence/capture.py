"""Captures at several places at once, by tcpdump, while requests are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor as Threads
from contextlib import contextmanager
from dataclasses import dataclass, field

from scripts.evidence.pcap import Packet, read, statistics
from scripts.transport.background import Background, start
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError

SNAP = 1024
"""Bytes kept of each packet: the headers of a request or an answer, with its nonce, fit in."""
LEFT_OUT = (6443, 2379, 10250)
"""Ports whose packets are not captured."""
FILTER = " and not ".join(["tcp", *(f"port {port}" for port in LEFT_OUT), "net 127.0.0.0/8"])
"""Everything but the control plane's traffic and a node's loopback, which both carry the execs."""
TCPDUMP = (
    "tcpdump",
    "-i",
    "any",
    "-n",
    "--immediate-mode",
    "--time-stamp-precision=nano",
    "-U",
    "-s",
    str(SNAP),
    "-Z",
    "root",
    "-w",
    "-",
    FILTER,
)


@dataclass(frozen=True)
class Captured:
    """The packets of one place in order of time; ``problem`` says why some may be missing.

    ``data`` is the capture file that they were read from.
    """

    packets: Sequence[Packet] = ()
    problem: str = ""
    data: bytes = b""


@dataclass
class Captures:
    """What was captured, by the place's name; filled when the block of ``capturing`` ends."""

    by_place: dict[str, Captured] = field(default_factory=dict)


@contextmanager
def capturing(
    places: Mapping[str, Place],
    execute: Executor,
    threads: Threads,
    raw: Callable[[str, CompletedExec], None],
) -> Iterator[Captures]:
    """Captures at every place (by name) while the block runs. Never raises for a capture that fails."""
    captures = Captures()
    running = dict(zip(places, threads.map(lambda at: _started(execute, at), places.values()), strict=True))
    try:
        yield captures
    finally:
        stopped = threads.map(lambda name: _stopped(running[name], name, raw), places)
        captures.by_place.update(zip(places, stopped, strict=True))


def _started(execute: Executor, place: Place) -> Background | str:
    """The capture, or why none runs there."""
    try:
        return start(execute, place, TCPDUMP, "listening on")
    except PodExecError as error:
        return str(error)


def _stopped(capture: Background | str, name: str, raw: Callable[[str, CompletedExec], None]) -> Captured:
    if isinstance(capture, str):
        return Captured(problem=capture)
    try:
        done = capture.stop()
        packets, whole = read(done.stdout)
    except PodExecError as error:
        return Captured(problem=str(error))
    except ValueError as error:
        return Captured(problem=f"the capture at {name} cannot be read: {error}")
    raw(f"capture-{name}", done)
    lost = statistics(done.stderr.decode(errors="replace")).problem
    return Captured(packets, lost or ("" if whole else "the capture's end is missing"), done.stdout)
