"""From probes to work: what each asks for, grouped by source, so that one exec carries many.

A new kind of ask registers its handler with ``work_of``; one that changes the cluster registers a
scenario instead (``scripts.probing.scenarios``).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import singledispatch

from labs import model
from scripts.probing.curl import Request
from scripts.probing.executor import Place
from scripts.probing.places import Target, agent_on, full_name, place_in, place_of, target_of
from scripts.probing.verdict import Failure, Finding, failed, skipped
from scripts.probing.view import MissingPeer, NotHere, View
from scripts.waiting import TIMEOUTS

LOOK = "readlink /proc/self/ns/net; ip -o -4 addr show; ip -o link show"
BIND = (
    "use Socket; for my $p (@ARGV) { socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;"
    ' my $ok = bind($s, sockaddr_in($p, INADDR_ANY)) && listen($s, 1); print "$p ", $ok ? "ok" : $!, "\\n" }'
)
"""Listens on each port in turn and says "PORT ok" or "PORT <the error>"; perl is in every workload."""

KERNEL_MODES = {"ipvs": "/proc/net/ip_vs"}
"""Modes of kube-proxy that want more of the kernel than netfilter, and what shows that it is there."""
PLAIN = (
    "use Socket; my ($ip, $port, $line) = @ARGV; alarm 5; socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;"
    ' connect($s, sockaddr_in($port, inet_aton($ip))) or die "$!\\n"; $| = 1; print "connected\\n";'
    ' syswrite $s, "$line\\r\\n\\r\\n"; while (sysread $s, my $said, 4096) { print $said }'
)
"""Says "connected", sends a line and an empty one, and prints what comes back until the other side closes."""


@dataclass(frozen=True)
class Command:
    """A program that a probe runs at a place; ``key`` is unique within the run."""

    place: Place
    key: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """What an ask comes to: requests from its source, or commands at one or more places.

    ``nonce`` is the request's unique text where a command sends it; ``traced``: packets are captured.
    """

    requests: tuple[Request, ...] = ()
    commands: tuple[Command, ...] = ()
    target: Target | None = None
    nonce: str = ""
    traced: bool = False


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
    """The plan of ``probes`` (lab, probe); a peer that cannot be named settles its probe at once.

    A probe of a lab that is not deployed is settled, too; one of no lab (an empty name) stands alone.
    """
    plan = Plan()
    for lab, probe in probes:
        try:
            if lab:
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
    return Work(requests_to(target, probe, ask.path, ask.scheme), target=target, traced=ask.traced)


def requests_to(
    target: Target,
    probe: str,
    path: str,
    scheme: str = "http",
    times: int = 1,
    total: float = TIMEOUTS.request,
) -> tuple[Request, ...]:
    """``times`` requests with a random nonce each, which ends within ``total`` seconds each."""
    marks = secrets.token_hex(4 * times)  # one call: a system call each would cost more than the rest
    url = target.url(scheme, path)
    return tuple(
        Request(f"{probe}.{marks[8 * n : 8 * n + 8]}.{n}", url, target.host, TIMEOUTS.connect, total)
        for n in range(times)
    )


@work_of.register
def _(ask: model.Chain, probe: str, place: Place, view: View) -> Work:
    target, nonce = target_of(ask.to, place, view), f"{probe}.{secrets.token_hex(4)}"
    header = ["--header", f"{model.HEADER_NONCE}: {nonce}", "--header", "Connection: close"]
    limit = ["--noproxy", "*", "--max-time", f"{TIMEOUTS.request:g}", "--write-out", "\\n%{json}"]
    argv = ("curl", "-q", "-sS", *header, *limit, target.url("http", ask.path))
    return Work(commands=(Command(place, f"{probe}/chain", argv),), target=target, nonce=nonce)


@work_of.register
def _(ask: model.Plain, probe: str, place: Place, view: View) -> Work:
    target = target_of(ask.to, place, view)
    argv = ("perl", "-e", PLAIN, target.address, str(target.port), ask.line)
    return Work(commands=(Command(place, f"{probe}/plain", argv),), target=target)


@work_of.register
def _(ask: model.Interface, probe: str, place: Place, view: View) -> Work:
    argv = ("ip", "-j", "-d", "link", "show", "dev", "eth0")
    return Work(commands=(Command(place, f"{probe}/interface", argv),))


@work_of.register
def _(ask: model.Table, probe: str, place: Place, view: View) -> Work:
    service = view.service(ask.lab, ask.service)
    return Work(target=Target(service.cluster_ip, 0, service=service, lab=ask.lab))


@work_of.register
def _(ask: model.Variables, probe: str, place: Place, view: View) -> Work:
    pods = view.pods(ask.lab, ask.workload)
    commands = [Command(place_in(pod, pod.containers[0]), f"{probe}/{pod.name}", ("env",)) for pod in pods]
    return Work(commands=tuple(commands))


@work_of.register
def _(ask: model.ProxyMode, probe: str, place: Place, view: View) -> Work:
    def tried(mode: str) -> tuple[str, ...]:
        """kube-proxy checks its settings and writes them to nowhere, but does not start."""
        return ("/usr/local/bin/kube-proxy", f"--proxy-mode={mode}", "--write-config-to=/dev/null")

    asked = {"mode": ask.mode, "control": ask.control}
    if ask.mode in KERNEL_MODES:
        look = Command(agent_on(place.node, view), f"{probe}/kernel", ("test", "-e", KERNEL_MODES[ask.mode]))
        tries = [Command(place, f"{probe}/{key}", tried(mode)) for key, mode in asked.items()]
        return Work(commands=(look, *tries))
    return Work(commands=tuple(Command(place, f"{probe}/{key}", tried(mode)) for key, mode in asked.items()))


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
def _(ask: model.Sample, probe: str, place: Place, view: View) -> Work:
    return Work(target=target_of(ask.to, place, view))


@work_of.register
def _(ask: model.Replace, probe: str, place: Place, view: View) -> Work:
    view.pods(ask.lab, ask.workload)
    return Work(target=target_of(model.Service(ask.lab, ask.service, ask.port), place, view))


@work_of.register(model.Relabel)
@work_of.register(model.Converge)
@work_of.register(model.Hang)
def _(ask: model.Relabel | model.Converge | model.Hang, probe: str, place: Place, view: View) -> Work:
    view.pods(ask.lab, ask.spare)
    return Work(target=target_of(model.Service(ask.lab, ask.service, ask.port), place, view))


@work_of.register
def _(ask: model.Disconnect, probe: str, place: Place, view: View) -> Work:
    view.service(ask.lab, ask.service)
    return Work(target=target_of(ask.to, place, view))
