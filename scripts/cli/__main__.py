"""The application behind every command: ``scripts/up`` is ``python -m scripts.cli up``.

A command is a module of this folder with a function of the same name, which returns the exit code. Only the
one that is asked for is imported.
"""

from __future__ import annotations

import re
import signal
import sys
import traceback
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import typer
from typer.exceptions import TyperException

from scripts.dockerconfig import without_proxies
from scripts.environment import also_download_by, make_harmless, stand_firmly
from scripts.errors import (
    EXIT_ENVIRONMENT,
    EXIT_OK,
    EXIT_USAGE,
    PodpathError,
    Terminated,
    UsageError,
    environment_trouble,
)
from scripts.paths import STATE, private_folder
from scripts.streams import print_anywhere

COMMANDS = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def application(names: list[str]) -> typer.Typer:
    """The commands of these names; a single one stands for itself, without its name as an argument."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    for name in names:
        app.command(name)(getattr(import_module(f"scripts.cli.{name}"), name))
    return app


def main(argv: list[str]) -> int:
    """Runs a command line and returns its exit code; any error becomes one sentence on stderr."""
    name = argv[0] if argv and argv[0] in COMMANDS else ""
    shown = f"scripts/{name}" if name else "python -m scripts.cli"
    outlets = print_anywhere()
    signal.signal(signal.SIGTERM, _terminated)
    code = _run(name, shown, argv)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    lost = next((str(outlet.lost.strerror) for outlet in outlets if outlet.lost), "")
    if lost:
        print(f"podpath: the output could not be written ({lost}): send it elsewhere.", file=sys.stderr)
    return EXIT_ENVIRONMENT if lost and code == EXIT_OK else code


def _run(name: str, shown: str, argv: list[str]) -> int:
    """Runs a command in an environment that is made harmless, and returns its exit code."""
    try:
        stand_firmly()
        make_harmless()
        also_download_by(without_proxies())
        _refuse_empty(argv, shown)
        app = application([name] if name else COMMANDS)
        code = app(argv[1:] if name else argv, prog_name=shown, standalone_mode=False)
    except TyperException as error:
        print(f"podpath: {error.format_message().rstrip('.')}: see {shown} --help.", file=sys.stderr)
        return EXIT_USAGE
    except PodpathError as error:
        print(f"podpath: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if trouble := environment_trouble(error):
            print(f"podpath: {trouble}", file=sys.stderr)
            return EXIT_ENVIRONMENT
        kept = _kept(name or "cli")
        print(f"podpath: this is a bug in podpath: {error!r}; {kept}.", file=sys.stderr)
        return EXIT_ENVIRONMENT
    if code == INTERRUPTED:
        print(f"podpath: interrupted; run {shown} again to continue from here.", file=sys.stderr)
    return int(code or 0)


def _refuse_empty(argv: list[str], shown: str) -> None:
    """Raises UsageError for an argument without a value: an unset variable would otherwise mean all."""
    for before, argument in pairwise(["", *argv]):
        if not argument.strip() or re.fullmatch(r"--[a-z-]+=\s*", argument):
            options = [one.rstrip("= ") for one in (argument, before) if one.startswith("-")]
            what = f"{options[0]} is followed by nothing" if options else "an argument is empty"
            raise UsageError(f"{what}: type a value, or see {shown} --help.")


def _kept(name: str) -> str:
    """Where the traceback of the error that is being handled was written."""
    told = traceback.format_exc()
    try:
        log = private_folder(STATE / "logs") / f"crash-{name}.log"
        log.write_text(told)
    except OSError:
        return f"please report it ({' '.join(told.splitlines()[-3:-1]).strip()})"
    return f"please report it together with {log}"


def _terminated(number: int, frame: object) -> None:
    """Ends the command as an interrupt does: what a scenario changed is restored on the way out."""
    raise Terminated


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
