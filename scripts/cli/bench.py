"""`scripts/bench`: prints the benchmark table. It gives no verdicts, and fails only where a command fails."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Annotated

import typer

from labs import every_probe
from scripts.checks.answers import AnsweredBy
from scripts.checks.base import Probe
from scripts.checks.destinations import Service
from scripts.checks.peers import Client
from scripts.checks.request import Get
from scripts.checks.verdict import Verdict
from scripts.cli._arguments import Stack, chosen_labs
from scripts.cli._restoring import journal_of, restore_alone
from scripts.clusters.base import Cluster, cluster_of
from scripts.environment import downloading
from scripts.errors import EXIT_OK, PodpathError
from scripts.evidence import curl
from scripts.evidence.snapshot import PodInfo
from scripts.evidence.view import View
from scripts.paths import ROOT
from scripts.progress import say
from scripts.runs.document import ProbeRecord
from scripts.runs.draft import Draft
from scripts.stack.lock import lock
from scripts.stack.profile import Profile, profile_of
from scripts.suite.ask import parts
from scripts.suite.plan import plan_of
from scripts.suite.run import run
from scripts.transport.executor import CompletedExec, Executor, Place

SIZES = (1, 10, 100, 1000, 5000)
LARGE = 1000
"""Probes of the rows that compare numbers of nodes."""
HUGE = 50_000
"""Probes of the batch that is taken once, beside curl alone with the same requests."""
SINGLE = 24
"""Probes of the rows with one exec each: enough for a median, few enough to end in seconds."""
THREADS = 8
ROUNDS = 3


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, the value of each round, and the unit."""

    what: str
    values: Sequence[float]
    unit: str = "s"

    def __str__(self) -> str:
        low, high = min(self.values), max(self.values)
        spread = f"  ({low:.5g} to {high:.5g}, {len(self.values)} rounds)" if len(self.values) > 1 else ""
        return f"{self.what:<58} {statistics.median(self.values):>9.5g} {self.unit}{spread}"


def bench(
    stack: Stack = "kind",
    life: Annotated[
        bool, typer.Option("--life", help="Also measure down, up, an unchanged up, and down again.")
    ] = False,
    labs: Annotated[str, typer.Option(help="With --life: deploy only these labs (comma-separated).")] = "",
    rounds: Annotated[int, typer.Option(min=1, max=20, help="How many times to take each figure.")] = ROUNDS,
) -> int:
    """Measures how fast a running stack is probed, and with --life how fast it comes and goes."""
    profile = profile_of(stack)
    chosen_labs(labs)
    if life:
        for row in lifetimes(stack, labs):
            print(row, flush=True)
    restore_alone(profile)
    for row in chain(suite(profile, rounds), probing(profile, rounds)):
        print(row, flush=True)
    print(f"Next: scripts/down {stack}")
    return EXIT_OK


def lifetimes(stack: str, labs: str) -> Iterator[Row]:
    """From nothing to a verdict with tools and images cached, again with nothing changed, and the end."""
    only = ["--labs", labs] if labs else []
    for name, title in (("down", ""), ("up", "warm, no cluster"), ("up", "nothing changed"), ("down", "")):
        seconds, steps = _timed(name, stack, *(only if name == "up" else ()))
        yield Row(f"scripts/{name}{f' ({title})' if title else ''}", [seconds])
        for step, took in steps:
            yield Row(f"  {step}", [took])
    _timed("up", stack, *only)


def _timed(name: str, stack: str, *args: str) -> tuple[float, list[tuple[str, float]]]:
    """Seconds of a command, of each step it reported and of its probes; raises PodpathError if it failed."""
    say(f"scripts/{name} {stack}")
    begun = time.monotonic()
    variables = {**os.environ, **downloading()}
    done = subprocess.run(
        [ROOT / "scripts" / name, *args, stack], capture_output=True, text=True, env=variables
    )
    took = time.monotonic() - begun
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise PodpathError(f"scripts/{name} {stack} exited with code {done.returncode}: {said}")
    steps = re.findall(r"^✓ (.+) \((\d+\.\d) s\)$", done.stderr, re.MULTILINE)
    steps += re.findall(r"^(\d+ probes): .+; (\d+\.\d) s$", done.stdout, re.MULTILINE)
    return took, [(step, float(seconds)) for step, seconds in steps]


class Counting:
    """Counts the execs that go through it."""

    def __init__(self, execute: Executor) -> None:
        self.execute, self.count = execute, 0

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        """Runs ``argv`` at ``place``; see ``Executor``."""
        self.count += 1
        return self.execute(place, argv, stdin, timeout)


@dataclass(frozen=True)
class OfNodes(View):
    """A view whose evidence comes from its first ``nodes`` nodes only."""

    nodes: int = 0

    def agents(self) -> dict[str, PodInfo]:
        """The node agents of those nodes, workers first: the probes' source is on one."""
        return dict(sorted(super().agents().items(), key=lambda item: "control" in item[0])[: self.nodes])


def suite(profile: Profile, rounds: int) -> Iterator[Row]:
    """All claims of the stack, and one trace."""
    everything = every_probe(profile.dual)
    seconds, shares, traces = [], [], []
    for _ in range(rounds):
        cluster, draft = cluster_of(profile), Draft({})
        with lock(profile.cluster, "scripts/probe"):
            view, journal = cluster.look(), journal_of(profile)
            run(everything, view, cluster.api, cluster.execute, [draft], journal=journal)
        done = draft.document()
        seconds.append(done.seconds)
        evidence = [timing.seconds for timing in done.timings if timing.what.startswith("evidence")]
        shares.append(100 * sum(evidence) / done.seconds)
        traces.append(_timed("trace", profile.stack, "client-1", "pod-to-service/service/frontend:80")[0])
    yield Row(f"all claims ({len(everything)} probes)", seconds)
    yield Row("  of which evidence", shares, "%")
    yield Row("scripts/trace client-1 → Service", traces)


def probing(profile: Profile, rounds: int) -> Iterator[Row]:
    """The cost of a probe, alone and in a batch, from one Pod to one Service, on the same cluster."""
    cluster = cluster_of(profile)
    view, execute = cluster.look(), cluster.execute

    def batch(size: int) -> float:
        begun = time.monotonic()
        _judged(run(many(size), view, cluster.api, execute))
        return time.monotonic() - begun

    def single(probe: tuple[str, Probe]) -> None:
        _judged(run([probe], view, cluster.api, execute))

    def bare(probe: tuple[str, Probe]) -> None:
        (step,) = plan_of([probe], view).steps
        (answer,) = curl.parse(
            execute(step.place, curl.argv(), curl.render(step.work.requests)).stdout, step.work.requests
        ).values()
        if isinstance(answer, str) or answer.exitcode:
            raise PodpathError(f"a request of the benchmark failed: {answer}")

    taken = {size: [batch(size) for _ in range(rounds)] for size in SIZES}
    for size, seconds in taken.items():
        yield Row(f"{size} probes in a batch, verdict and receipt each", seconds)
        yield Row("  probes a second", [size / took for took in seconds], "1/s")
    small, large = SIZES[-2:]
    further = [
        (large - small) / (b - a) for a, b in zip(sorted(taken[small]), sorted(taken[large]), strict=True)
    ]
    yield Row(f"  each further probe, from {small} to {large} in a batch", further, "1/s")
    yield from _huge(view, cluster)
    yield from _by_nodes(view, cluster, rounds)
    yield _rate("one exec a probe, verdict and receipt each", single, rounds)
    yield _rate("one exec a probe, curl's answer only", bare, rounds)
    yield _rate(f"one exec a probe, {THREADS} threads, curl's answer only", bare, rounds, THREADS)


def _huge(view: View, cluster: Cluster) -> Iterator[Row]:
    """A batch far larger than any suite, how fast curl alone sends the same, and the memory that it took."""
    probes = many(HUGE)
    requests = [request for step in plan_of(probes, view).steps for request in step.work.requests]
    place = plan_of(probes[:1], view).steps[0].place
    begun = time.monotonic()
    for part in parts(requests):
        cluster.execute(place, curl.argv(), curl.render(part))
    alone = time.monotonic() - begun
    begun = time.monotonic()
    _judged(run(probes, view, cluster.api, cluster.execute))
    took = time.monotonic() - begun
    yield Row(f"{HUGE} probes in a batch, verdict and receipt each", [took])
    yield Row("  curl alone, with the same requests", [alone])
    yield Row("  memory at most", [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024], "MiB")


def _by_nodes(view: View, cluster: Cluster, rounds: int) -> Iterator[Row]:
    """The same batch with the evidence of one node, of two, and so on.

    Taken in turn, from the second client: what earlier rounds left in the kernels' tables slows all alike.
    """
    counting, times = (
        Counting(cluster.execute),
        {n: list[float]() for n in range(1, len(view.snapshot.nodes) + 1)},
    )
    execs = dict.fromkeys(times, 0)
    for _ in range(rounds):
        for nodes, taken in times.items():
            counting.count = 0
            fewer = OfNodes(view.snapshot, view.exports, view.stack, view.outside, nodes=nodes)
            begun = time.monotonic()
            run(many(LARGE, Client(1)), fewer, cluster.api, counting)
            taken.append(time.monotonic() - begun)
            execs[nodes] = counting.count
    for nodes, taken in times.items():
        yield Row(f"{LARGE} probes with evidence of {nodes} nodes, {execs[nodes]} execs", taken)


def _rate(what: str, one: Callable[[tuple[str, Probe]], None], rounds: int, threads: int = 1) -> Row:
    rates = []
    for _ in range(rounds):
        begun = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, many(SINGLE)))
        rates.append(SINGLE / (time.monotonic() - begun))
    return Row(what, rates, "1/s")


def many(size: int, source: Client = Client()) -> list[tuple[str, Probe]]:  # noqa: B008
    """``size`` probes, each over a connection of its own, from one client Pod to the article's Service."""
    lab = "pod-to-service"
    check = Get(Service(lab, "frontend", 80), (AnsweredBy(lab, "frontend", "nginx"),), "/whoami")
    return [(lab, Probe(f"S2-bench-{n}", "S2", source, check)) for n in range(size)]


def _judged(probes: Sequence[ProbeRecord]) -> None:
    """Raises PodpathError unless each probe passed with all four views."""
    for probe in probes:
        if probe.verdict is not Verdict.PASSED or not probe.receipt.kernel or probe.receipt.gaps:
            raise PodpathError(f"probe {probe.id} of the benchmark is {probe.verdict}: {probe.why}")
