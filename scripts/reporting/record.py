"""The run's own folder, written as it happens: events.jsonl and what each exec printed."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from scripts.paths import STATE, private_folder
from scripts.probing.events import (
    BatchFinished,
    BatchStarted,
    Event,
    EvidenceCollected,
    ProbeJudged,
    RawOutput,
    RunFinished,
    RunStarted,
    ScenarioStarted,
)

RUNS = STATE / "runs"


def run_id(stack: str) -> str:
    """A new run's name: when (UTC), and of which stack; they sort by time."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.{time.time_ns() // 1_000_000 % 1000:03d}-{stack}"


class Record:
    """Writes ``.podpath/runs/<id>/``; a crash leaves all that happened before it."""

    def __init__(self, id: str, runs: Path = RUNS) -> None:
        self.folder = private_folder(runs / id)
        self._raw = private_folder(self.folder / "raw")
        self._events = (self.folder / "events.jsonl").open("a", buffering=1)
        self._kept: Counter[str] = Counter()
        self._begun = time.monotonic()

    def __enter__(self) -> Record:
        """Nothing more: the files are open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the event file."""
        self._events.close()

    def __call__(self, event: Event) -> None:
        """Writes an event."""
        if isinstance(event, RawOutput):
            name = re.sub(r"[^A-Za-z0-9.-]+", "_", event.name)
            self._kept[name] += 1
            stem = self._raw / (f"{name}-{self._kept[name]}" if self._kept[name] > 1 else name)
            stem.with_name(stem.name + ".out").write_bytes(event.done.stdout)
            if event.done.stderr:
                stem.with_name(stem.name + ".err").write_bytes(event.done.stderr)
        line = {
            "at": round(time.monotonic() - self._begun, 4),
            "event": type(event).__name__,
            **_fields(event),
        }
        self._events.write(json.dumps(line) + "\n")


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case RunStarted():
            return {"run": event.id, "stack": event.stack, "probes": [probe.id for _, probe in event.probes]}
        case BatchStarted():
            return {"source": event.source, "size": event.size}
        case BatchFinished():
            seconds = round(event.seconds, 4)
            return {"source": event.source, "size": event.size, "seconds": seconds, "problem": event.problem}
        case RawOutput():
            return {"name": event.name, "returncode": event.done.returncode, "bytes": len(event.done.stdout)}
        case EvidenceCollected():
            return {"what": event.what, "seconds": round(event.seconds, 4)}
        case ScenarioStarted():
            return {"probe": event.probe}
        case ProbeJudged():
            result, receipt = event.result, event.result.receipt
            views = {
                "client": [*receipt.client],
                "server": [*receipt.server],
                "kernel": [*receipt.kernel],
                "api": receipt.api,
                "gaps": receipt.gaps,
            }
            return {
                "probe": result.id,
                "claim": result.claim,
                "verdict": result.verdict,
                "failure": result.finding.failure,
                "why": result.finding.why,
                "receipt": views,
            }
        case RunFinished():
            claims = {id: claim.verdict for id, claim in event.claims.items()}
            return {"run": event.id, "seconds": round(event.seconds, 4), "claims": claims}
