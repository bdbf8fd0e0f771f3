"""The HTML report as one of the files that a run writes."""

from __future__ import annotations

from scripts.reporting.files import Report
from scripts.reporting.html.page import render

UNFINISHED = (
    "<!doctype html><title>podpath</title><p>This run has not ended, or was killed before its report.\n"
)
"""What the file says until the run has ended."""
HTML = Report("HTML", UNFINISHED, render)
