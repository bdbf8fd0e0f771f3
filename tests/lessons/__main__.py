"""`scripts/test --lessons [--record] [NAME]...`: do the lessons' outputs still hold, or what are they now.

A name is that of a lab, or README for the page that leads to them; the default is all of them. The lessons
are run on the stack `kind`, which has to be up, one after the other, those of a folder in one shell.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType

from labs import LABS, module_of
from scripts.clusters.base import cluster_of
from scripts.errors import EXIT_FAILED, EXIT_OK, PodpathError, Terminated, UsageError
from scripts.paths import ROOT
from scripts.progress import say
from scripts.stack.profile import profile_of
from scripts.stack.variables import environment
from tests.lessons.document import Lesson, lesson_of, rewritten
from tests.lessons.pictures import record_pictures
from tests.lessons.run import difference, outputs
from tests.lessons.session import Session
from tests.lessons.shape import recorded

STACK = "kind"
RECORD = "--record"
INTERRUPTED = 130
START = "README"


def main(arguments: Sequence[str]) -> int:
    """Runs the lessons that are named and returns the exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    names = [name for name in arguments if name != RECORD]
    try:
        lessons = [lesson_of(path) for path in paths(names)]
        profile = profile_of(STACK)
        cluster_of(profile).look()  # says in a sentence that the stack is not up
        kept = True
        for _, each in groupby(lessons, lambda lesson: lesson.path.parent):
            with Session(environment(STACK)) as session:
                kept = all([run(lesson, session, RECORD in arguments) for lesson in each]) and kept
        if RECORD in arguments:
            record_pictures(STACK, names)
    except PodpathError as error:
        print(f"podpath: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("podpath: interrupted", file=sys.stderr)
        return INTERRUPTED
    return EXIT_OK if kept else EXIT_FAILED


def paths(names: Sequence[str]) -> list[Path]:
    """The files of the lessons with these names, or of all; raises UsageError."""
    known = {lab: sorted((ROOT / module_of(lab).replace(".", "/")).glob("*.md")) for lab in LABS}
    known[START] = [ROOT / "README.md"]
    for name in names:
        if name not in known:
            raise UsageError(f"{name!r} is no lesson: choose from {', '.join(known)}.")
    return [path for name in names or known for path in known[name]]


def run(lesson: Lesson, session: Session, record: bool) -> bool:
    """Runs a lesson; says what differs, or writes it into the file. Returns whether it holds."""
    path = lesson.path.relative_to(ROOT)
    written, kept, compared = [], True, 0
    for block, told in outputs(lesson, session.run):
        if block.not_run and block.language == "console":
            say(f"{path}:{block.line}: not run: {block.not_run}")
        for one in told:
            compared += 1
            written.append((one.step.span, recorded(one.lines)))
            if not one.holds:
                kept = False
                print(f"{difference(path, one)}\n")
    say(f"{path}: {compared} outputs {'hold' if kept else 'were compared'}")
    if record:
        lesson.path.write_text(rewritten(lesson, written))
    return kept or record


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
