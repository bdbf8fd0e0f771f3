"""`scripts/bench`: the benchmark table. Figures, never verdicts: it fails only where a command does."""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Annotated

import typer

from labs.model import AnsweredBy, Client, Get, Probe, Service
from scripts.cluster.profile import Profile, profile_of
from scripts.commands.probe import every
from scripts.commands.shell import Stack, start
from scripts.commands.up import chosen_labs
from scripts.errors import EXIT_OK, PodpathError
from scripts.paths import ROOT
from scripts.probing import curl
from scripts.probing.cluster import RealExecutor, view_of
from scripts.probing.events import Event, EvidenceCollected, RunFinished
from scripts.probing.executor import CompletedExec, Executor, Place
from scripts.probing.kube import Kube
from scripts.probing.plan import plan_of
from scripts.probing.runner import run
from scripts.probing.snapshot import PodInfo
from scripts.probing.verdict import Verdict
from scripts.probing.view import View
from scripts.progress import say

SIZES = (1, 10, 100, 1000, 5000)
LARGE = 1000
"""Probes of the rows that compare numbers of nodes."""
SINGLE = 24
"""Probes of the rows with one exec each: enough for a median, few enough to end in seconds."""
THREADS = 8
ROUNDS = 3


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, the median, the least and the most of its rounds, and in what unit."""

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
        bool, typer.Option("--life", help="Also down, up, unchanged up and down: takes the stack down.")
    ] = False,
    labs: Annotated[str, typer.Option(help="With --life: deploy only these labs (comma-separated).")] = "",
    rounds: Annotated[int, typer.Option(min=1, max=20, help="How often each figure is taken.")] = ROUNDS,
) -> int:
    """Measures probing on the running stack, and with --life the stack's whole life."""
    profile = profile_of(stack)
    chosen_labs(labs)
    if life:
        for row in lifetimes(stack, labs):
            print(row, flush=True)
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
    """Seconds of a command, and of each step and the probes it told; raises PodpathError when it failed."""
    say(f"scripts/{name} {stack}")
    begun = time.monotonic()
    done = subprocess.run([ROOT / "scripts" / name, *args, stack], capture_output=True, text=True)
    took = time.monotonic() - begun
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise PodpathError(f"scripts/{name} {stack} ended with {done.returncode}, saying: {said}")
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
    everything = every()
    seconds, shares, traces = [], [], []
    for _ in range(rounds):
        collected: list[float] = []

        def observe(event: Event, collected: list[float] = collected) -> None:
            if isinstance(event, EvidenceCollected):
                collected.append(event.seconds)

        view, kube = view_of(profile)
        done = run(everything, view, kube, RealExecutor(kube), [observe])
        seconds.append(done.seconds)
        shares.append(100 * sum(collected) / done.seconds)
        traces.append(_timed("trace", profile.stack, "client-1", "pod-to-service/service/frontend:80")[0])
    yield Row(f"all claims ({len(everything)} probes)", seconds)
    yield Row("  of which evidence", shares, "%")
    yield Row("scripts/trace client-1 → Service", traces)


def probing(profile: Profile, rounds: int) -> Iterator[Row]:
    """The cost of a probe, alone and in a batch, from one Pod to one Service, on the same cluster."""
    view, kube = view_of(profile)
    execute = RealExecutor(kube)

    def batch(size: int) -> RunFinished:
        return _judged(run(many(size), view, kube, execute))

    def single(probe: tuple[str, Probe]) -> None:
        _judged(run([probe], view, kube, execute))

    def bare(probe: tuple[str, Probe]) -> None:
        (step,) = plan_of([probe], view).steps
        (answer,) = curl.parse(
            execute(step.place, curl.argv(), curl.render(step.work.requests)).stdout, step.work.requests
        ).values()
        if isinstance(answer, str) or answer.exitcode:
            raise PodpathError(f"a request of the benchmark failed: {answer}")

    taken = {size: [batch(size).seconds for _ in range(rounds)] for size in SIZES}
    for size, seconds in taken.items():
        yield Row(f"{size} probes in a batch, verdict and receipt each", seconds)
        yield Row("  probes a second", [size / took for took in seconds], "1/s")
    small, large = SIZES[-2:]
    further = [
        (large - small) / (b - a) for a, b in zip(sorted(taken[small]), sorted(taken[large]), strict=True)
    ]
    yield Row(f"  each further probe, from {small} to {large} in a batch", further, "1/s")
    yield from _by_nodes(view, kube, execute, rounds)
    yield _rate("one exec a probe, verdict and receipt each", single, rounds)
    yield _rate("one exec a probe, curl's answer only", bare, rounds)
    yield _rate(f"one exec a probe, {THREADS} threads, curl's answer only", bare, rounds, THREADS)


def _by_nodes(view: View, kube: Kube, execute: RealExecutor, rounds: int) -> Iterator[Row]:
    """The same batch with the evidence of one node, of two, and so on.

    Taken in turn, from the second client: what earlier rounds left in the kernels' tables burdens all alike.
    """
    counting, times = Counting(execute), {n: list[float]() for n in range(1, len(view.snapshot.nodes) + 1)}
    execs = dict.fromkeys(times, 0)
    for _ in range(rounds):
        for nodes, taken in times.items():
            counting.count = 0
            fewer = OfNodes(view.snapshot, view.exports, view.stack, view.outside, nodes)
            taken.append(run(many(LARGE, Client(1)), fewer, kube, counting).seconds)
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
    ask = Get(Service(lab, "frontend", 80), "/whoami")
    expect = (AnsweredBy(lab, "frontend", "nginx"),)
    return [(lab, Probe(f"S2-bench-{n}", "S2", source, ask, expect)) for n in range(size)]


def _judged(done: RunFinished) -> RunFinished:
    """The run itself; raises PodpathError unless each probe passed with all four views."""
    for result in done.results:
        if result.verdict is not Verdict.PASSED or not result.receipt.kernel or result.receipt.gaps:
            raise PodpathError(
                f"probe {result.id} of the benchmark is {result.verdict}: {result.finding.why}"
            )
    return done


if __name__ == "__main__":
    start(bench)
