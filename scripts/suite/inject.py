"""Applies faults and undoes them: a journal first, a dead-man beside each damage, and signs of life."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from scripts.errors import PodpathError
from scripts.fault._base import Act, owned
from scripts.suite.repairs import Api, Repairs, agents_now, call, place_of, play
from scripts.transport import deadman
from scripts.transport.docker import docker
from scripts.transport.executor import Executor, Place, PodExecError
from scripts.waiting import Late, eventually

EVERY = 1.0
"""Seconds between two signs of life."""
LONG = 4 * 3600
"""Seconds for which an exercise may last before its nodes undo it by themselves."""
PATIENCE = 20.0
"""Seconds within which a damage has to be undone."""


@dataclass
class Applied:
    """A fault that is applied. ``lost``: a dead-man has acted, so it was gone before it was undone."""

    name: str
    acts: Sequence[Act]
    lost: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None


@dataclass(frozen=True)
class Injector:
    """Damages a cluster and undoes it. It needs the API server, which no fault may take away."""

    api: Api
    execute: Executor
    repairs: Repairs
    confined: frozenset[str] | None = None
    """The namespaces whose objects alone may be damaged; None: podpath made the cluster."""

    def apply(self, name: str, acts: Sequence[Act], limit: float = 60, exercise: bool = False) -> Applied:
        """Applies a fault's acts in turn; raises PodpathError, with nothing left damaged."""
        if self.confined is not None and not all(act.within(self.confined) for act in acts):
            why = "it would damage more than the labs of a cluster that podpath did not make"
            raise PodpathError(f"the fault {name} is not applied: {why}.")
        applied = Applied(name, acts)
        self.repairs.before(name, [owned(act, name, exercise) for act in acts])
        agents = agents_now(self.api)
        try:
            for n, act in enumerate(acts):
                self._do(act, f"{name}-{n}", agents, LONG if exercise else limit, exercise)
        except BaseException as error:
            with suppress(PodpathError):
                self.undo(applied)
            if isinstance(error, PodExecError):
                raise PodpathError(f"the fault {name} could not be applied: {error}.") from None
            raise
        if not exercise:
            applied._thread = threading.Thread(target=self._live, args=(applied, agents), daemon=True)
            applied._thread.start()
        return applied

    def undo(self, applied: Applied) -> None:
        """Undoes a fault, its last act first; raises PodpathError when it is still there after a while."""
        applied._ended.set()
        if applied._thread is not None:
            applied._thread.join()
        for n, act in reversed([*enumerate(applied.acts)]):
            self._undo(act, applied.name, n)
        self.repairs.done(applied.name)

    @contextmanager
    def applied(self, name: str, acts: Sequence[Act], limit: float = 60) -> Iterator[Applied]:
        """A fault while the block runs; raises PodpathError when it cannot be applied or undone."""
        standing = self.apply(name, acts, limit)
        try:
            yield standing
        except BaseException:
            with suppress(PodpathError):
                self.undo(standing)
            raise
        self.undo(standing)

    def _undo(self, act: Act, name: str, n: int) -> None:
        why = ""

        def undone() -> bool:
            nonlocal why
            try:
                play(owned(act, name, False), f"{name}-{n}", self.api, self.execute, agents_now(self.api))
            except (PodpathError, PodExecError) as error:
                why = str(error)
                return False
            return True

        try:
            eventually(undone, PATIENCE, f"the {act.what} to be undone", every=0.5)
        except Late as late:
            raise PodpathError(f"{str(late).rstrip('.')}: {why}") from None

    def _do(self, act: Act, mark: str, agents: dict[str, Place], limit: float, exercise: bool) -> None:
        if act.where == "api":
            for argv in act.do:
                call(self.api, *argv)
        elif act.where == "engine":
            for argv in act.do:
                docker(*argv)
        else:
            place = place_of(act.repair, agents)
            beat = LONG if exercise else deadman.BEAT
            deadman.arm(self.execute, place, mark, act.do, act.undo, act.there, beat, limit)

    def _live(self, applied: Applied, agents: dict[str, Place]) -> None:
        """Tells each dead-man that this process is still there, until the fault is undone."""
        marks: dict[Place, list[str]] = {}
        for n, act in enumerate(applied.acts):
            if act.where in ("agent", "container"):
                marks.setdefault(place_of(act.repair, agents), []).append(f"{applied.name}-{n}")
        while marks and not applied._ended.wait(EVERY):
            for place, names in marks.items():
                with suppress(PodExecError):
                    applied.lost = applied.lost or not deadman.live(self.execute, place, names)
