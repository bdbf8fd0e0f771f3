"""From probes to work: what each asks for, grouped by source, so that one exec carries many.

A new kind of ask registers its handler with ``work_of``; one that changes the cluster registers a
scenario instead (``scripts.probing.scenario``).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import singledispatch

from labs import model
from scripts.probing.curl import Request
from scripts.probing.executor import Place
from scripts.probing.places import Target, full_name, place_of, target_of
from scripts.probing.verdict import Failure, Finding, failed, skipped
from scripts.probing.view import MissingPeer, NotHere, View
from scripts.waiting import TIMEOUTS

LOOK = "readlink /proc/self/ns/net; ip -o -4 addr show; ip -o link show"
BIND = (
    "use Socket; for my $p (@ARGV) { socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;"
    ' my $ok = bind($s, sockaddr_in($p, INADDR_ANY)) && listen($s, 1); print "$p ", $ok ? "ok" : $!, "\\n" }'
)
"""Listens on each port in turn and says "PORT ok" or "PORT <the error>"; perl is in every workload."""


@dataclass(frozen=True)
class Command:
    """A program that a probe runs at a place; ``key`` is unique within the run."""

    place: Place
    key: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """What an ask comes to: requests from its source, or commands at one or more places."""

    requests: tuple[Request, ...] = ()
    commands: tuple[Command, ...] = ()
    target: Target | None = None


@dataclass(frozen=True)
class Step:
    """A probe with everything named: where it starts, what it sends, what it runs."""

    lab: str
    probe: model.Probe
    place: Place
    work: Work

    @property
    def command(self) -> str:
        """What a person types to do the same by hand."""
        if self.work.requests:
            return self.place.command(*self.work.requests[0].argv())
        return "; ".join(command.place.command(*command.argv) for command in self.work.commands)


@dataclass
class Plan:
    """The steps of a run in the order of the probes; ``settled`` are the probes that cannot be asked."""

    steps: list[Step] = field(default_factory=list)
    settled: dict[str, Finding] = field(default_factory=dict)

    def requests(self) -> dict[Place, list[Request]]:
        """By source, all its requests: one exec each."""
        batches: dict[Place, list[Request]] = {}
        for step in self.steps:
            if step.work.requests:
                batches.setdefault(step.place, []).extend(step.work.requests)
        return batches

    def commands(self) -> dict[Place, dict[str, tuple[str, ...]]]:
        """By place, all commands: one exec each."""
        batches: dict[Place, dict[str, tuple[str, ...]]] = {}
        for step in self.steps:
            for command in step.work.commands:
                batches.setdefault(command.place, {})[command.key] = command.argv
        return batches


def plan_of(probes: Iterable[tuple[str, model.Probe]], view: View) -> Plan:
    """The plan of ``probes`` (lab, probe); a peer that cannot be named settles its probe at once."""
    plan = Plan()
    for lab, probe in probes:
        try:
            view.lab(lab)
            place = place_of(probe.source, view)
            plan.steps.append(Step(lab, probe, place, work_of(probe.ask, probe.id, place, view)))
        except NotHere as reason:
            plan.settled[probe.id] = skipped(str(reason))
        except MissingPeer as reason:
            plan.settled[probe.id] = failed(Failure.MISSING_PEER, str(reason))
    return plan


@singledispatch
def work_of(ask: object, probe: str, place: Place, view: View) -> Work:
    """What ``ask`` comes to from ``place``; raises NotHere or MissingPeer."""
    raise TypeError(f"no plan is known for a {type(ask).__name__}")


@work_of.register
def _(ask: model.Get, probe: str, place: Place, view: View) -> Work:
    target = target_of(ask.to, place, view)
    url = target.url(ask.scheme, ask.path)
    marks = secrets.token_hex(4 * ask.times)  # one call: a system call each would cost more than the rest
    requests = tuple(
        Request(
            f"{probe}.{marks[8 * n : 8 * n + 8]}.{n}", url, target.host, TIMEOUTS.connect, TIMEOUTS.request
        )
        for n in range(ask.times)
    )
    return Work(requests, target=target)


@work_of.register
def _(ask: model.Resolve, probe: str, place: Place, view: View) -> Work:
    service = view.service(ask.lab, ask.service)
    name = full_name(service)
    names = [f"{pod.name}.{name}" for pod in view.pods(ask.lab, ask.service)] if ask.pods else [name]
    commands = tuple(Command(place, f"{probe}/{name}", ("getent", "ahostsv4", name)) for name in names)
    return Work(commands=commands, target=Target(name, 53, service=service, lab=ask.lab))


@work_of.register
def _(ask: model.Bind, probe: str, place: Place, view: View) -> Work:
    argv = ("perl", "-e", BIND, str(ask.port), str(ask.control))
    return Work(commands=(Command(place, f"{probe}/bind", argv),))


@work_of.register
def _(ask: model.Namespaces, probe: str, place: Place, view: View) -> Work:
    others = {f"other-{n}": place_of(other, view) for n, other in enumerate(ask.others)}
    places = {"self": place, **others, "stranger": place_of(ask.stranger, view)}
    return Work(
        commands=tuple(Command(at, f"{probe}/{who}", ("sh", "-c", LOOK)) for who, at in places.items())
    )


@work_of.register
def _(ask: model.Replace, probe: str, place: Place, view: View) -> Work:
    view.pods(ask.lab, ask.workload)
    return Work(target=target_of(model.Service(ask.lab, ask.service, ask.port), place, view))
