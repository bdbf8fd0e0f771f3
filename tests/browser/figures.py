"""What a run's page and the live lines cost: ``python -m tests.browser.figures [run.json]``.

The run is the given one, or the recorded green one; the larger ones are its probes repeated.
"""

from __future__ import annotations

import os
import pty
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser

from scripts.cli.bench import Row
from scripts.reporting.html.page import render
from scripts.reporting.progress import A_SECOND, Progress
from scripts.runs.document import Run, UnjudgedRecord
from scripts.runs.events import BatchFinished, BatchStarted, Phase, PhaseStarted, RunStarted
from tests.browser.chromium import MISSING, chromium, launched
from tests.browser.runs import GREEN, grown
from tests.worlds.world import recorded

SIZES = (1000, 5000)
ROUNDS = 5
DRAWINGS = 20
"""Drawings of the live lines in a round: five seconds."""
PAINTED = "performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)"
FILTERED = """
([field, value]) => new Promise(done => {
  const input = document.querySelector(field), begun = performance.now();
  input.value = value;
  input.dispatchEvent(new Event("input", {bubbles: true}));
  input.dispatchEvent(new Event("change", {bubbles: true}));
  const worked = performance.now();
  requestAnimationFrame(() => setTimeout(() => done([worked - begun, performance.now() - begun])));
})
"""
"""Milliseconds until the page has filtered, and until what is left of it is painted."""
FILTERS = (("[name=text]", "frontend"), ("select[name=verdict]", "failed"), ("[name=text]", ""))


def pages(run: Run, browser: Browser, folder: Path) -> Iterator[Row]:
    """Writing the page, its size, its first paint, and a filter, of a run and of larger ones."""
    for of in (run, *(grown(run, size) for size in SIZES)):
        what, path = f"page of {len(of.probes)} probes", folder / f"{len(of.probes)}.html"
        written = []
        for _ in range(ROUNDS):
            begun = time.monotonic()
            path.write_text(render(of), encoding="utf-8")
            written.append(time.monotonic() - begun)
        yield Row(f"{what}, written", written)
        yield Row("  size", [path.stat().st_size / 1e6], "MB")
        painted, filtered, drawn = [], [], []
        for _ in range(ROUNDS):
            page = browser.new_page()
            page.goto(path.as_uri())
            painted += page.evaluate(PAINTED)
            for field in FILTERS:
                worked, shown = page.evaluate(FILTERED, list(field))
                filtered.append(worked)
                drawn.append(shown)
            page.close()
        yield Row("  first paint", painted, "ms")
        yield Row("  a filter", filtered, "ms")
        yield Row("  a filter, until it is painted", drawn, "ms")


def console(run: Run) -> Row:
    """The share of a processor that the live lines take on a terminal, with two events for each drawing."""
    wanted = [UnjudgedRecord(id=p.id, claim=p.claim, lab=p.lab, sentence=p.sentence) for p in run.probes]
    shares = []
    for _ in range(ROUNDS):
        reading, writing = pty.openpty()
        with os.fdopen(writing, "w") as terminal, Progress(terminal) as progress:
            progress(RunStarted("run", run.stack, tuple(wanted), run.cluster))
            progress(PhaseStarted(Phase.ASKING, 0.0, len(wanted)))
            begun, worked = time.monotonic(), time.process_time()
            for probe in run.probes[:DRAWINGS]:
                progress(BatchStarted(probe.id, 1))
                os.read(reading, 1 << 16)  # waits until the lines are drawn
                progress(BatchFinished(probe.id, 1, 0.0, ""))
            shares.append(100 * (time.process_time() - worked) / (time.monotonic() - begun))
            drain = threading.Thread(target=_drain, args=(reading,), daemon=True)
            drain.start()
        drain.join()
    return Row(f"live lines, drawn {A_SECOND} times a second", shares, "% of one processor")


def _drain(reading: int) -> None:
    """Reads what is left, until the other end is closed."""
    with suppress(OSError):
        while os.read(reading, 1 << 16):
            pass
    os.close(reading)


def main() -> int:
    """Prints the figures."""
    given = sys.argv[1:]
    run = Run.model_validate_json(Path(given[0]).read_text()) if given else recorded(GREEN)
    print(console(run), flush=True)
    path = chromium()
    if not path:
        print(MISSING, file=sys.stderr)
        return 3
    with launched(path) as browser, tempfile.TemporaryDirectory() as folder:
        for row in pages(run, browser, Path(folder)):
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
