"""The lessons' pictures, drawn from a real run: the ways of some probes, and the page that reports all."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import ViewportSize

from labs import module_of
from scripts.errors import PodpathError
from scripts.paths import ROOT
from scripts.progress import say, step
from scripts.reporting.html.page import render
from scripts.reporting.html.path import path_of
from scripts.reporting.html.picture import picture_of_probe, picture_of_trace
from scripts.reporting.html.shown import shown_path
from scripts.runs.document import Run
from scripts.runs.named import read_file
from scripts.runs.traced import TracedRequest
from scripts.transport.process import run as run_program
from tests.browser.chromium import MISSING, chromium, launched


@dataclass(frozen=True)
class Drawn:
    """A picture of a claim: of one of its probes, or of a request that is followed.

    Its packet must be seen on ``nodes`` nodes: where it goes may be chance.
    """

    lab: str
    claim: str
    nodes: int
    probe: str = ""
    source: str = ""
    to: str = ""

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return ROOT / module_of(self.lab).replace(".", "/") / "pictures" / f"{self.claim}.svg"


DRAWN = (
    Drawn("container-to-container", "C4", 0, "C4-pod-80"),
    Drawn("pod-to-pod", "P4", 1, source="pod-to-pod/frontend", to="pod-to-pod/rest:8000"),
    Drawn("pod-to-pod", "P5", 2, source="pod-to-pod/database", to="pod-to-pod/rest:8000"),
    Drawn("pod-to-service", "S6", 2, source="client-1", to="pod-to-service/service/frontend:80"),
    Drawn("egress", "E4", 1, source="egress/traveller", to="outside"),
    Drawn("egress", "E5", 0, "E5-outside"),
    Drawn("ingress-l4", "I3", 2, source="outside", to="ingress-l4/balancer/web-cluster:80"),
    Drawn("ingress-l7", "I7", 2, source="outside", to="ingress-l7/ingress/frontend@shop.podpath.test"),
    Drawn("pitfalls", "K3", 1, source="pitfalls/server", to="pitfalls/service/near:80"),
    Drawn("pitfalls", "K6", 1, "K6-nobody"),
)
"""The claims whose way is drawn: those of which it says something that the words do not."""
TRIES = 20
REPORT = ROOT / "labs" / "pictures" / "report.png"
SCRIPTS = ROOT / "scripts"
SHOWN = "I3-trace"
"""The probe that is open in the picture of the page."""
SIZE = ViewportSize(width=1360, height=900)


def record_pictures(stack: str, names: Sequence[str]) -> None:
    """Draws the pictures of these labs, or of all, and of the page; raises PodpathError."""
    run = _run(stack)
    for one in DRAWN:
        if not names or one.lab in names:
            one.file.parent.mkdir(exist_ok=True)
            one.file.write_text(_probe_drawn(one, run) if one.probe else _trace_drawn(one, run, stack))
            say(f"{one.file.relative_to(ROOT)}: {one.file.stat().st_size >> 10} KiB")
    if not names or "README" in names:
        screenshot(run)


def _probe_drawn(drawn: Drawn, run: Run) -> str:
    probe = next((one for one in run.probes if one.id == drawn.probe), None)
    if probe is None or len(shown_path(probe, run.cluster, None).nodes) != drawn.nodes:
        raise PodpathError(f"{drawn.probe} was not asked, or its packet was not seen as ever.")
    return picture_of_probe(probe, run.cluster)


def _trace_drawn(drawn: Drawn, run: Run, stack: str) -> str:
    """The picture of the first trace that passes the nodes that it should."""
    nodes = [node.name for node in run.cluster.nodes]
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "trace.json"
            run_program([SCRIPTS / "trace", drawn.source, drawn.to, stack, "--json", file])
            traced = TracedRequest.model_validate_json(file.read_text())
        if len(path_of(traced.trace, nodes).nodes) == drawn.nodes and not traced.trace.problem:
            title = f"{drawn.claim}: {traced.source} → {traced.destination}"
            return picture_of_trace(traced.trace, run.cluster, title)
    raise PodpathError(f"{drawn.source} → {drawn.to} did not pass {drawn.nodes} nodes in {TRIES} traces.")


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


def _run(stack: str) -> Run:
    """A run of all probes."""
    with tempfile.TemporaryDirectory() as folder, step("all probes"):
        file = Path(folder) / "run.json"
        run_program([SCRIPTS / "probe", stack, "--json", file])
        return read_file(file)
