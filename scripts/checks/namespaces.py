"""Containers of one Pod in one network namespace, and a stranger in another (claim C1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.peers import Container, Source
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive
from scripts.evidence.view import View
from scripts.transport.executor import Place
from scripts.transport.frames import Output

LOOK = "readlink /proc/self/ns/net; ip -o -4 addr show; ip -o link show"


@dataclass(frozen=True)
class Look:
    """A network namespace as seen from within: its inode, IPv4 addresses and interface names."""

    inode: str
    addresses: frozenset[str]
    links: frozenset[str]

    def __str__(self) -> str:
        return f"{self.inode} ({', '.join(sorted(self.links))}; {', '.join(sorted(self.addresses))})"


@dataclass(frozen=True)
class Namespaces(Check):
    """The network namespaces (inode, interfaces, addresses) of the source and of ``others``.

    ``stranger`` is a container of another Pod: its namespace must differ, or the check proves nothing.
    """

    others: tuple[Container, ...]
    stranger: Source

    def __str__(self) -> str:
        return f"for the network namespaces of itself, {', '.join(map(str, self.others))} and a stranger"

    @property
    def expected(self) -> str:
        """One inode, the same interfaces and addresses, and the Pod's IP as the API states it."""
        return "one namespace, with the Pod's IP"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """The same look in each container."""
        others = {f"other-{n}": other.place(view) for n, other in enumerate(self.others)}
        places = {"self": place, **others, "stranger": self.stranger.place(view)}
        return Work(commands=tuple(Command(at, who, ("sh", "-c", LOOK)) for who, at in places.items()))

    def judge(self, seen: Observation) -> Finding:
        """Each look against the source's own."""
        looks: dict[str, Look] = {}
        for who, output in seen.outputs.items():
            look = _look(output)
            if look is None:
                why = f"the namespace of {who} could not be read: {output.text.strip()}"
                return inconclusive(Failure.NO_ANSWER, why)
            looks[who] = look
        own, stranger = looks.pop("self"), looks.pop("stranger")
        for look in looks.values():
            if look != own:
                why = f"{seen.step.place} has {own}, the other container {look}"
                return failed(Failure.WRONG_NAMESPACE, why)
        if stranger.inode == own.inode:
            why = f"a container of another Pod shows the same {own.inode}: the look proves nothing"
            return inconclusive(Failure.CONTROL_FAILED, why)
        if seen.step.place.ip not in own.addresses:
            why = f"the API says {seen.step.place.ip}, the namespace has {', '.join(sorted(own.addresses))}"
            return failed(Failure.WRONG_ADDRESS, why)
        return PASSED


def _look(output: Output) -> Look | None:
    """What ``LOOK`` printed; None if that is incomplete."""
    inode = re.search(r"^net:\[\d+\]$", output.text, re.MULTILINE)
    addresses = frozenset(re.findall(r"\binet (\S+?)/", output.text))
    links = frozenset(re.findall(r"^\d+: ([^:@\s]+)[@:]", output.text, re.MULTILINE))
    return (
        Look(inode[0], addresses, links) if inode and addresses and links and not output.returncode else None
    )
