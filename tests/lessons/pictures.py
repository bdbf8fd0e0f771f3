"""The lessons' pictures, drawn from a real run: the ways of some probes, and the page that reports all."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import ViewportSize

from labs import every_probe, module_of
from scripts.errors import PodpathError
from scripts.paths import ROOT
from scripts.progress import say, step
from scripts.reporting.html.page import render
from scripts.reporting.html.picture import picture
from scripts.reporting.html.shown import shown_path
from scripts.runs.document import ProbeRecord, Run
from scripts.runs.named import read_file
from scripts.transport.process import run as run_program
from tests.browser.chromium import MISSING, chromium, launched

DRAWN = {
    "C2-proxy": 1,
    "C4-pod-80": 0,
    "P4-frontend-rest": 1,
    "P5-database-rest": 2,
    "S6-1-80": 2,
    "E4-path": 1,
    "E5-outside": 0,
    "I3-trace": 2,
    "I7-shop": 2,
    "K3-1": 1,
    "K6-nobody": 1,
}
"""The probes that are drawn, and on how many nodes their packet must be seen: where it goes may be chance."""
TRIES = 20
REPORT = ROOT / "labs" / "pictures" / "report.png"
SHOWN = "I3-trace"
"""The probe that is open in the picture of the page."""
SIZE = ViewportSize(width=1280, height=860)


def record_pictures(stack: str, names: Sequence[str]) -> None:
    """Draws the pictures of these labs, or of all, and of the page; raises PodpathError."""
    labs = {probe.id: lab for lab, probe in every_probe()}
    whole = _run(stack)
    for id, nodes in DRAWN.items():
        if not names or labs[id] in names:
            draw(stack, id, nodes, whole)
    if not names or "README" in names:
        screenshot(whole)


def draw(stack: str, id: str, nodes: int, run: Run) -> Path:
    """Draws a probe of a run, or of another run where its packet passes so many nodes; returns the file."""
    for _ in range(TRIES):
        probe = next((one for one in run.probes if one.id == id), None)
        if probe and _passes(run, probe) >= nodes:
            folder = ROOT / module_of(probe.lab).replace(".", "/") / "pictures"
            folder.mkdir(exist_ok=True)
            path = folder / f"{probe.claim}.svg"
            path.write_text(picture(run, probe))
            say(f"{path.relative_to(ROOT)}: {path.stat().st_size >> 10} KiB, from run {run.id}")
            return path
        run = _run(stack, id)
    raise PodpathError(f"{id} did not pass {nodes} nodes in {TRIES} runs.")


def screenshot(run: Run) -> None:
    """Photographs the page of a run, with the way of one probe in it."""
    path = chromium()
    if not path:
        raise PodpathError(f"{MISSING}.")
    REPORT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, launched(path) as browser:
        file = Path(folder) / "report.html"
        file.write_text(render(run))
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        page.goto(f"{file.as_uri()}#{SHOWN}")
        page.locator("#stage svg.drawing").wait_for()
        page.screenshot(path=REPORT)
    say(f"{REPORT.relative_to(ROOT)}: {REPORT.stat().st_size >> 10} KiB")


def _passes(run: Run, probe: ProbeRecord) -> int:
    return len(shown_path(probe, run.cluster, None).nodes)


def _run(stack: str, id: str = "") -> Run:
    """A run of all probes, or of those that one needs."""
    with tempfile.TemporaryDirectory() as folder, step(f"probe {id or 'everything'}"):
        file = Path(folder) / "run.json"
        run_program(
            [str(ROOT / "scripts" / "probe"), stack, *(["-k", id] if id else []), "--json", str(file)]
        )
        return read_file(file)
