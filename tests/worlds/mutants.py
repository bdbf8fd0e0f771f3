"""Mutations: executors that wrap the replaying one and change its answers."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scripts.evidence.curl import HEADERS
from scripts.transport.executor import CompletedExec, Executor, Place, PodExecError
from tests.worlds.parts import parts_of
from tests.worlds.replayer import Replayer
from tests.worlds.world import Change, World

PCAP = bytes.fromhex("4d3cb2a1")
"""How a capture with nanoseconds begins on a little-endian machine."""
Edit = Callable[[Place, Sequence[str], CompletedExec], CompletedExec]
"""Changes the result of one exec."""


@dataclass(frozen=True)
class Mutant:
    """An executor that applies an edit to each result."""

    execute: Executor
    edit: Edit

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        return self.edit(place, argv, self.execute(place, argv, stdin, timeout))


def lying(edit: Edit) -> Change:
    """A mutation by an edit."""
    return lambda execute: Mutant(execute, edit)


def printing(change: Callable[[Place, bytes], bytes]) -> Change:
    """A mutation of stdout."""
    return lying(lambda place, argv, done: replace(done, stdout=change(place, done.stdout)))


def without_lines(pattern: str) -> Change:
    """Removes the lines in which ``pattern`` (a regular expression) is found."""
    seen = re.compile(pattern.encode())
    return printing(
        lambda place, out: b"".join(line for line in out.splitlines(keepends=True) if not seen.search(line))
    )


def with_text(pattern: str, new: str) -> Change:
    """Replaces what matches ``pattern`` (a regular expression)."""
    return printing(lambda place, out: re.sub(pattern.encode(), new.encode(), out))


def only_at(where: Place, change: Change) -> Change:
    """Limits a mutation to one place."""

    def changed(execute: Executor) -> Executor:
        lying_one = change(execute)

        def ask(place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> CompletedExec:
            return (lying_one if place == where else execute)(place, argv, stdin, timeout)

        return ask

    return changed


def with_header(probe: str, header: str, value: str) -> Change:
    """Replaces a header of the answers to a probe's requests."""
    column = 2 + HEADERS.index(header)

    def changed(line: bytes) -> bytes:
        columns = line.split(b"\t")
        if line.startswith(f"{probe}.".encode()) and len(columns) > column:
            end = b"\n" if columns[column].endswith(b"\n") else b""
            columns[column] = value.encode() + end
        return b"\t".join(columns)

    return printing(lambda place, out: b"".join(map(changed, out.splitlines(keepends=True))))


def cut(place: Place, out: bytes) -> bytes:
    """Removes the end of the last frame."""
    *lines, last = out.splitlines(keepends=True) or [b""]
    return b"".join(lines) if b" end " in last else out


def with_rules_of(world: World, node: str, other: str) -> Change:
    """Replaces the kube-proxy rules of a node by those of another node."""
    places = world.view.agent_places()
    aside = Replayer(world.tape)
    frame = re.compile(rb"^\w+ begin iptables\n.*?^\w+ end iptables \d+\n", re.DOTALL | re.MULTILINE)

    def change(execute: Executor) -> Executor:
        def ask(place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60) -> CompletedExec:
            done = execute(place, argv, stdin, timeout)
            if place != places[node] or not frame.search(done.stdout):
                return done
            theirs = frame.search(aside(places[other], argv, stdin, timeout).stdout)
            assert theirs, f"{other} was not asked for its rules"
            return replace(done, stdout=frame.sub(lambda own: theirs[0], done.stdout))

        return ask

    return change


def losing(seed: int, share: float) -> Callable[[Place, bytes], bytes]:
    """Removes a random ``share`` (0 to 1) of all lines, but none of a capture."""
    chance = random.Random(seed)

    def lost(place: Place, out: bytes) -> bytes:
        lines = [] if out[:4] == PCAP else out.splitlines(keepends=True)
        return b"".join(line for line in lines if chance.random() >= share) if lines else out

    return lost


def shortened(place: Place, out: bytes) -> bytes:
    """Keeps the first third of each capture."""
    return out[: len(out) // 3] if out[:4] == PCAP else out


def silent(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """Every program succeeded and printed nothing."""
    return replace(done, stdout=b"", stderr=b"", returncode=0)


def endless(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """No exit code was reported."""
    return replace(done, returncode=None)


def doubled(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """Everything was printed twice."""
    return replace(done, stdout=done.stdout * 2)


def unreachable(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
    """No exec succeeded."""
    raise PodExecError("error dialing backend: EOF")


class Yesterday:
    """Answers with the output of an earlier run, in the order of that run."""

    def __init__(self) -> None:
        self.printed: dict[tuple[str, ...], list[CompletedExec]] = defaultdict(list)

    def taking(self, execute: Executor) -> Executor:
        """Keeps the output of one run."""

        def edit(place: Place, argv: Sequence[str], done: CompletedExec) -> CompletedExec:
            self.printed[self._like(place, argv)].append(done)
            return done

        return Mutant(execute, edit)

    def giving(self, execute: Executor) -> Executor:
        """Answers another run with it."""

        def answer(
            place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
        ) -> CompletedExec:
            kept = self.printed[self._like(place, argv)]
            if not kept:
                raise PodExecError("nothing was printed there")
            return kept.pop(0) if len(kept) > 1 else kept[0]

        return answer

    def _like(self, place: Place, argv: Sequence[str]) -> tuple[str, ...]:
        return str(place), argv[0], str(len(parts_of(argv, b"") if argv[0] == "sh" else argv))
