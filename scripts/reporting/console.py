"""What a person reads of a run on stdout."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from scripts.reporting.ending import ending, full
from scripts.reporting.sheet import Sheet
from scripts.runs.document import Run


def show(run: Run, out: TextIO | None = None, verbose: bool = False) -> None:
    """Prints what matters of a run, and with ``verbose`` every probe and every claim before it.

    A reader that goes away early, such as ``head`` or a pager, is no error.
    """
    stream = out or sys.stdout
    sheet = Sheet(stream)
    try:
        if verbose:
            full(run, sheet)
        ending(run, sheet, verbose)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
