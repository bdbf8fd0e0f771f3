"""Proves on a real cluster that every probe can fail and that the cause is named: fault after fault.

One green baseline for all; then each fault is applied, what it affects is asked, compared with what was
predicted, the fault is undone, and the cluster has to be as it was, and green.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from scripts.checks.base import Journal, Probe, runs_alone
from scripts.clusters.base import LISTS, Cluster
from scripts.errors import PodpathError
from scripts.evidence import fingerprint
from scripts.evidence.fingerprint import Lines
from scripts.evidence.view import MissingPeer, NotHere, View
from scripts.fault._base import Fault, Site
from scripts.runs.document import CauseRecord, ProbeRecord
from scripts.runs.draft import Draft
from scripts.runs.proof import FaultRecord
from scripts.suite.choose import with_controls
from scripts.suite.inject import Injector
from scripts.suite.predict import RED, asked, missed, reds
from scripts.suite.pulse import Guarded, silent_nodes
from scripts.suite.repairs import agents_now
from scripts.suite.run import run
from scripts.suite.settle import QUIET as SETTLED
from scripts.suite.settle import settled
from scripts.transport import frames
from scripts.transport.docker import docker
from scripts.transport.executor import CompletedExec, PodExecError
from scripts.waiting import Late, eventually

FORM = "{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
Probes = Sequence[tuple[str, Probe]]
OBJECTS = (
    *LISTS,
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/apis/gateway.networking.k8s.io/v1/httproutes",
)
AGAIN = 30.0
"""Seconds within which all has to be as it was before a fault."""
FELT = 30.0
"""Seconds within which the API has to show what was damaged."""
QUIET = 0.7
"""Seconds without a change after which a cluster with a fault of its objects has settled."""


def containers() -> dict[str, str]:
    """The names of running containers by each of their addresses."""
    running = docker("ps", "--quiet").split()
    lines = docker("inspect", "--format", FORM, *running, check=False).splitlines() if running else []
    return {ip: name.lstrip("/") for name, *ips in map(str.split, lines) for ip in ips}


@dataclass
class Prover:
    """Applies faults to a cluster. ``every`` are all probes, each with its lab."""

    cluster: Cluster
    injector: Injector
    every: Probes
    journal: Journal
    tell: Callable[[str], None]
    step: Callable[[str], None] = lambda name: None
    """Called at the start of each step of a fault, by its name."""
    _steps: dict[str, float] = field(default_factory=dict)
    _known: Lines | None = None
    """What the cluster is like, if nobody has touched it since."""

    def prove(self, name: str, fault: Fault) -> FaultRecord:
        """Proves one fault; a problem is reported in its record, and nothing is left damaged."""
        begun, self._steps = time.monotonic(), {}
        found = FaultRecord(id=name, what=fault.what, claims=[*fault.claims], cause=fault.cause)
        left: list[str] = []
        still: list[str] = []
        try:
            site = self.site(name)
            found = found.model_copy(update={"node": fault.on(site)})
            with self._timed("fingerprint"):
                before = self._known or self._at_rest()
            self._known = None
            found = self._under(fault, site, found)
            with self._timed("compare"):
                left = self.unlike(before)
            self._known = None if left else before
            with self._timed("green"):
                still = self._still(fault, found)
        except (PodpathError, NotHere, MissingPeer, PodExecError) as error:
            found = found.model_copy(update={"problem": str(error)})
        seconds = round(time.monotonic() - begun, 2)
        ends = {"left": left, "still": still, "seconds": seconds, "steps": self._steps}
        return found.model_copy(update=ends)

    def site(self, name: str) -> Site:
        """The cluster as it is now, for a fault."""
        return Site(name, self.cluster.look(), self.cluster.api, self.cluster.execute, containers)

    def _under(self, fault: Fault, site: Site, found: FaultRecord) -> FaultRecord:
        """What a run says while the fault stands."""
        probes = asked(fault, self.every)
        with self._timed("apply"):
            standing = self.injector.apply(site.fault, fault.acts(site), fault.limit)
        try:
            with self._timed("settle"):
                view = self._view(fault, probes, site)
            with self._timed("run"):
                judged, causes = self.run(probes, view)
            if standing.lost:
                raise PodpathError("its dead-man undid it before the run had ended.")
        except BaseException:
            self.injector.undo(standing)
            raise
        with self._timed("undo"):
            self.injector.undo(standing)
        seen = {"reds": reds(fault, judged), "missed": missed(fault, judged), "named": [*causes]}
        return found.model_copy(update=seen)

    def _view(self, fault: Fault, probes: Probes, site: Site) -> View:
        """The cluster with the fault; once everybody has followed it, where somebody has to."""
        if fault.felt is not None:
            felt, look = fault.felt, self.cluster.look
            eventually(lambda: felt(look()), FELT, f"the API to show that {fault.what}", every=0.2)
        if fault.followed is not None:
            followed = fault.followed
            eventually(lambda: followed(site), FELT, f"the nodes to follow: {fault.what}", every=0.2)
        if not fault.changes_rules:
            return self.cluster.look()
        return self.settled({lab for lab, _ in probes}, QUIET)

    def settled(self, labs: Collection[str], quiet: float = SETTLED) -> View:
        """The cluster once these labs have settled, or nothing has changed for ``quiet`` seconds."""
        view, look = self.cluster.look(), self.cluster.snapshot
        return settled(view, look, self.cluster.execute, labs, lambda text: None, quiet)

    def run(self, probes: Probes, view: View) -> tuple[list[ProbeRecord], Sequence[CauseRecord]]:
        """The verdicts of these probes now, and the causes that were told."""
        draft = Draft({})
        silent = silent_nodes(view, self.cluster.execute)
        view = replace(view, silent=silent)
        execute = Guarded(self.cluster.execute, silent) if silent else self.cluster.execute
        judged = run(probes, view, self.cluster.api, execute, [draft], "faults", self.journal)
        return judged, draft.document().causes

    def fingerprint(self) -> Lines:
        """What the cluster is like."""
        api, execute, script = self.cluster.api, self.cluster.execute, frames.Script(fingerprint.COMMANDS)
        agents = agents_now(api)
        with ThreadPoolExecutor(16) as threads:
            lists = dict(
                zip((p.rpartition("/")[2] for p in OBJECTS), threads.map(api.items, OBJECTS), strict=True)
            )
            done: Mapping[str, CompletedExec] = dict(
                zip(
                    agents,
                    threads.map(lambda at: execute(at, script.argv(), timeout=20), agents.values()),
                    strict=True,
                )
            )
        outputs = {node: script.parse(one.stdout) for node, one in done.items()}
        return fingerprint.lines_of(outputs, lists)

    def _at_rest(self) -> Lines:
        """What the cluster is like once the nodes have followed what probes changed before."""
        self.settled({lab for lab, _ in self.every})
        return self.fingerprint()

    def unlike(self, before: Lines) -> list[str]:
        """What is different from before, once nothing is any more, or after a while."""
        left: list[str] = []

        def same() -> bool:
            nonlocal left
            try:
                left = fingerprint.difference(before, self.fingerprint())
            except (PodExecError, PodpathError) as error:
                left = [str(error)]
            return not left

        try:
            eventually(same, AGAIN, "the cluster to be as it was", every=0.2)
        except Late:
            return left
        return []

    def _still(self, fault: Fault, found: FaultRecord) -> list[str]:
        """Which of the probes that were red are still red, but for those that change the cluster."""
        ids = {red.id for red in found.reds}
        lasting = {one.id for _, one in self.every if runs_alone(one.check)}
        probes = with_controls(self.every, ids - lasting)
        if not probes:
            return []
        view = self.settled({lab for lab, _ in probes}) if fault.changes_rules else self.cluster.look()
        judged, _ = self.run(probes, view)
        again = {one.id for one in judged if one.verdict in RED}
        if again:  # a connection that was tracked under the fault may outlive it for a moment
            judged, _ = self.run(with_controls(self.every, again), self.cluster.look())
        return [f"{one.id}: {one.why or ''}" for one in judged if one.verdict in RED]

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        self.step(name)
        begun = time.monotonic()
        try:
            yield
        finally:
            self._steps[name] = round(time.monotonic() - begun, 2)
