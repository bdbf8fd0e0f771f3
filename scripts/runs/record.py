"""Runs on disk: ``.podpath/runs/<id>/``, written as they happen, read back, and pruned.

``events.jsonl`` has a line for each event, so that a run that was killed can be read as far as it got;
``run.json`` is the whole document once there is one; ``raw/`` is what each exec printed.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from scripts.errors import UsageError
from scripts.paths import STATE, private_folder
from scripts.runs.document import (
    CauseRecord,
    ClusterRecord,
    FeatureRecord,
    ProbeRecord,
    ReplayRecord,
    Run,
    UnjudgedRecord,
)
from scripts.runs.draft import PHASE, Draft
from scripts.runs.events import (
    BatchFinished,
    CausesFound,
    Event,
    EvidenceCollected,
    FeaturesFound,
    Phase,
    PhaseStarted,
    ProbeJudged,
    RawOutput,
    RunFinished,
    RunStarted,
)

RUNS = STATE / "runs"
KEPT = 20
"""Runs that are kept; older ones are removed when a new one begins."""
RECENT = 8
"""Of how many of the newest runs the pace is looked for."""


def run_id(stack: str) -> str:
    """A new run's name: the time (UTC) and the stack, so that runs sort by time."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.{time.time_ns() // 1_000_000 % 1000:03d}-{stack}"


class Record:
    """Writes a run's folder; a crash leaves all that happened before it."""

    def __init__(self, id: str, draft: Draft, runs: Path = RUNS) -> None:
        private_folder(runs)
        prune(runs, KEPT - 1)
        self.folder = private_folder(runs / id)
        self._draft = draft
        self._raw = private_folder(self.folder / "raw")
        self._events = (self.folder / "events.jsonl").open("a", buffering=1)
        self._named: Counter[str] = Counter()
        self._begun = time.monotonic()
        self._events.write(json.dumps({"event": "Draft", **draft.meta()}) + "\n")

    def __enter__(self) -> Record:
        """Nothing more: the files are open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the events and writes the document, as far as the run got."""
        self._events.close()
        (self.folder / "run.json").write_text(self._draft.document().text() + "\n")

    def __call__(self, event: Event) -> None:
        """Writes an event."""
        if isinstance(event, RawOutput):
            self._keep(event)
        at = round(time.monotonic() - self._begun, 4)
        self._events.write(json.dumps({"at": at, "event": type(event).__name__, **_told(event)}) + "\n")

    def _keep(self, event: RawOutput) -> None:
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", event.name)
        self._named[name] += 1
        stem = self._raw / (f"{name}-{self._named[name]}" if self._named[name] > 1 else name)
        stem.with_name(stem.name + ".out").write_bytes(event.done.stdout)
        if event.done.stderr:
            stem.with_name(stem.name + ".err").write_bytes(event.done.stderr)


def _told(event: Event) -> dict[str, Any]:
    """An event's own fields, as JSON has them."""
    match event:
        case RawOutput():
            return {"name": event.name, "returncode": event.done.returncode, "bytes": len(event.done.stdout)}
        case RunStarted():
            probes = [probe.model_dump() for probe in event.probes]
            cluster = event.cluster.model_dump()
            return {"id": event.id, "stack": event.stack, "probes": probes, "cluster": cluster}
        case FeaturesFound():
            return {"features": [feature.model_dump() for feature in event.features]}
        case ProbeJudged():
            return {"probe": event.probe.model_dump(mode="json")}
        case CausesFound():
            causes = [cause.model_dump() for cause in event.causes]
            replays = {id: replay.model_dump() for id, replay in event.replays.items()}
            return {"causes": causes, "replays": replays, "seconds": event.seconds}
        case _:
            return asdict(event)


def read(folder: Path) -> Run:
    """A run read from its folder; one that was killed, as far as it got.

    Raises UsageError for a folder without a run, or with one whose schema this version cannot read.
    """
    try:
        whole = folder / "run.json"
        return Run.model_validate_json(whole.read_text()) if whole.exists() else _replayed(folder)
    except FileNotFoundError:
        raise UsageError(f"there is no run in {folder}.") from None
    except (ValidationError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"the run in {folder} cannot be read by this version of podpath ({why}).") from None


def runs(folder: Path = RUNS) -> list[Path]:
    """The folders of all runs, the newest last."""
    return sorted(path for path in folder.glob("*") if (path / "events.jsonl").exists())


def pace(stack: str, probes: int, folder: Path = RUNS) -> dict[str, float]:
    """How long each phase of the newest whole run of as many probes on a stack lasted, in seconds.

    Empty if none of the newest few runs is one.
    """
    for past in reversed(runs(folder)[-RECENT:]):
        try:
            told = json.loads((past / "run.json").read_text())
            if (told["stack"], told["complete"], len(told["probes"])) == (stack, True, probes):
                phases = {one["what"]: one["seconds"] for one in told["timings"]}
                return {what.removeprefix(PHASE): s for what, s in phases.items() if what.startswith(PHASE)}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a run that was killed, or one of another version
    return {}


def prune(folder: Path, keep: int) -> None:
    """Removes all but the newest ``keep`` runs."""
    for old in runs(folder)[: -keep or None]:
        shutil.rmtree(old, ignore_errors=True)


def _replayed(folder: Path) -> Run:
    """The document from the events; a line that was half written when the run was killed is left out."""
    entries = []
    for line in (folder / "events.jsonl").read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    (meta, *rest) = entries or [{}]
    draft = Draft(meta.get("sentences", {}), meta.get("carriers", {}), meta.get("started", ""))
    for line in rest:
        if (event := _event(line)) is not None:
            draft(event)
    return draft.document(rest[-1]["at"] if rest else 0.0)


def _event(line: dict[str, Any]) -> Event | None:
    match line["event"]:
        case "RunStarted":
            probes = tuple(map(UnjudgedRecord.model_validate, line["probes"]))
            cluster = ClusterRecord.model_validate(line["cluster"])
            return RunStarted(line["id"], line["stack"], probes, cluster)
        case "PhaseStarted":
            return PhaseStarted(Phase(line["phase"]), line["after"], line["count"], line["limit"])
        case "BatchFinished":
            return BatchFinished(line["source"], line["size"], line["seconds"], line["problem"])
        case "EvidenceCollected":
            return EvidenceCollected(line["what"], line["seconds"])
        case "FeaturesFound":
            return FeaturesFound(tuple(map(FeatureRecord.model_validate, line["features"])))
        case "ProbeJudged":
            return ProbeJudged(ProbeRecord.model_validate(line["probe"]))
        case "CausesFound":
            causes = tuple(map(CauseRecord.model_validate, line["causes"]))
            replays = {id: ReplayRecord.model_validate(one) for id, one in line["replays"].items()}
            return CausesFound(causes, replays, line["seconds"])
        case "RunFinished":
            return RunFinished(line["seconds"])
    return None
