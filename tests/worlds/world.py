"""A world: one real run, recorded completely in one file, so that it can be judged again at any time."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from labs import every_probe
from labs.claims import CLAIMS
from scripts.checks.base import Probe
from scripts.evidence.snapshot import snapshot_of
from scripts.evidence.view import View
from scripts.evidence.world import OutsideWorld
from scripts.runs.document import Run
from scripts.runs.draft import Draft
from scripts.suite.pulse import Guarded
from scripts.suite.run import run
from scripts.transport.executor import Executor
from scripts.transport.tokens import seeded
from scripts.waiting import going_by
from tests.worlds.parts import Told
from tests.worlds.recorder import Raised, Recorder, Tape
from tests.worlds.replayer import Replayer
from tests.worlds.scope import scoped
from tests.worlds.trim import trimmed

FOLDER = Path(__file__).parent
SUFFIX = ".json.xz"
Verdicts = dict[str, tuple[str, str]]
"""By probe, its verdict and failure class (empty where it has none)."""
Change = Callable[[Executor], Executor]
"""A mutation: wraps the replaying executor in one that changes its answers."""


@dataclass
class World:
    """What was recorded. ``what`` describes the state of the cluster, ``lists`` are those of the API.

    ``probes`` and ``claims`` are the expected verdicts; ``reasons`` are the messages, for a human reader.
    """

    name: str
    what: str
    stack: str
    seed: str
    lists: Sequence[Sequence[Any]]
    outputs: dict[str, Any]
    outside: dict[str, Any] | None
    silent: dict[str, str]
    tape: Tape = field(default_factory=Tape)
    probes: Verdicts = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def view(self) -> View:
        """The cluster at the run's start."""
        told = self.outside
        outside = OutsideWorld(**{**told, "bridges": tuple(told["bridges"])}) if told else None
        return View(snapshot_of(*self.lists), self.outputs, self.stack, outside, self.silent)

    def expect(self, run: Run) -> None:
        """Makes the verdicts of a run the expected ones."""
        self.probes = {one.id: (one.verdict.value, one.failure or "") for one in run.probes}
        self.claims = {claim.id: claim.verdict for claim in run.claims}
        self.reasons = {one.id: one.why for one in run.probes if one.why}


def world_of(name: str, what: str, seed: str, view: View, lists: Sequence[Sequence[Any]]) -> World:
    """A world before its run, from a view and the API's lists (``scripts.clusters.base.LISTS``)."""
    outside: dict[str, Any] | None = json.loads(json.dumps(asdict(view.outside))) if view.outside else None
    return World(
        name, what, view.stack, seed, trimmed([*lists]), dict(view.exports), outside, dict(view.silent)
    )


def record(world: World, recorder: Recorder, probes: Sequence[tuple[str, Probe]], **more: Any) -> Run:
    """Runs ``probes`` and fills ``world`` with what the recorder heard and with the verdicts.

    ``more`` are further arguments of the run.
    """
    done = _run(world, recorder, recorder, probes, **more)
    world.tape = recorder.tape
    world.expect(done)
    return done


def replay(
    world: World, ids: str = "", change: Change = lambda execute: execute, seed: str = ""
) -> tuple[Run, Replayer]:
    """Runs the probes with these ids (separated by spaces; none: all that were recorded) in a world.

    ``seed`` replaces the recorded one. The Replayer knows which questions were not recorded.
    """
    wanted = {*ids.split()} or {*world.probes}
    replayer = Replayer(world.tape)
    probes = [
        (lab, probe) for lab, probe in every_probe(True) if probe.id in wanted and probe.id in world.probes
    ]
    return _run(world, change(replayer), replayer, probes, seed or world.seed), replayer


@cache
def loaded(name: str) -> World:
    """A world out of its file, read once for all tests: none of them changes it."""
    return load(name)


@cache
def replayed(name: str) -> tuple[Run, Replayer]:
    """A world as it is judged again, once for all tests: none of them changes it."""
    return replay(loaded(name))


def recorded(name: str) -> Run:
    """The run of a recorded world, as it is judged again."""
    return replayed(name)[0]


def _run(
    world: World,
    execute: Executor,
    clock_and_api: Recorder | Replayer,
    probes: Sequence[tuple[str, Probe]],
    seed: str = "",
    **more: Any,
) -> Run:
    view = world.view
    dual = any(probe.family for _, probe in probes)
    then = carriers({*world.probes} or {probe.id for _, probe in every_probe(dual)})
    draft = Draft({id: claim.sentence for id, claim in CLAIMS.items()}, then)
    guarded = Guarded(execute, view.silent) if view.silent else execute
    with seeded(seed or world.seed), going_by(clock_and_api):
        run(scoped(probes), view, clock_and_api, guarded, [draft], world.name, explain=False, **more)
    return draft.document()


def carriers(known: Collection[str]) -> dict[str, list[str]]:
    """The ids of the ``known`` probes that carry each claim: a world may be older than some."""
    found: dict[str, list[str]] = {}
    for _, probe in every_probe(True):
        carries = probe.carries and probe.id in known
        found.setdefault(probe.claim, []).extend([probe.id] if carries else [])
    return found


# --- the file ---------------------------------------------------------------------------------------


def names() -> list[str]:
    """The names of all recorded worlds."""
    return sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))


def path_of(name: str) -> Path:
    """The file of a world."""
    return FOLDER / f"{name}{SUFFIX}"


def save(world: World) -> Path:
    """Writes a world to its file."""
    told = {name: value for name, value in vars(world).items() if name != "tape"}
    tape = world.tape
    told["execs"] = [[*key, [_lean(one) for one in all_]] for key, all_ in sorted(tape.execs.items())]
    told["api"] = [[*key, [_lean(one) for one in all_]] for key, all_ in sorted(tape.api.items())]
    told["times"] = [[*key, all_] for key, all_ in sorted(tape.times.items())]
    text = json.dumps(told, separators=(",", ":"))
    path_of(world.name).write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    return path_of(world.name)


def load(name: str) -> World:
    """Reads a world from its file."""
    told = json.loads(lzma.decompress(path_of(name).read_bytes()))
    tape = Tape(
        {tuple(key): [_whole(one) for one in all_] for *key, all_ in told.pop("execs")},
        {tuple(key): [_answer(one) for one in all_] for *key, all_ in told.pop("api")},
        {tuple(key): all_ for *key, all_ in told.pop("times")},
    )
    told["probes"] = {id: (verdict, failure) for id, (verdict, failure) in told["probes"].items()}
    return World(**told, tape=tape)


RAISED = "raised"


def _lean(one: Any) -> Any:
    if isinstance(one, Raised):
        return {RAISED: [one.kind, one.said]}
    if isinstance(one, Told):
        return one.out if one == Told(one.out) else [one.out, one.err, one.code, one.ended]
    return one


def _whole(one: Any) -> Told | Raised:
    if isinstance(one, dict):
        return Raised(*one[RAISED])
    return Told(*one) if isinstance(one, list) else Told(one)


def _answer(one: Any) -> Any:
    return Raised(*one[RAISED]) if isinstance(one, dict) and RAISED in one else one
