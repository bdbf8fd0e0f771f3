"""What every command shares: its arguments, its errors and its exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from scripts.errors import EXIT_ENVIRONMENT, PodpathError
from scripts.paths import STATE, private_folder

Stack = Annotated[str, typer.Argument(help="The stack, one of stacks/Pulumi.*.yaml.")]
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def start(command: Callable[..., int]) -> None:
    """Runs a command as a program: its return value is the exit code, an error is one sentence on stderr."""

    name = command.__name__

    def guarded(*args: object, **kwargs: object) -> None:
        try:
            code = command(*args, **kwargs)
        except KeyboardInterrupt:  # here: Typer would end without a word
            told = f"interrupted; run scripts/{name} again, it goes on from what is done"
            print(f"podpath: {told}.", file=sys.stderr)
            code = INTERRUPTED
        raise SystemExit(code)

    guarded.__doc__, guarded.__annotations__ = command.__doc__, {**command.__annotations__, "return": None}
    guarded.__signature__ = _signature(command)  # type: ignore[attr-defined]
    signal.signal(signal.SIGTERM, _terminated)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(guarded)
    try:
        app(prog_name=f"scripts/{name}")
    except PodpathError as error:
        print(f"podpath: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        print(f"podpath: a bug in podpath ended this: {error!r}; {_kept(name)}.", file=sys.stderr)
        raise SystemExit(EXIT_ENVIRONMENT) from None


def _kept(name: str) -> str:
    """Where the traceback of the error that is being handled was written."""
    log = private_folder(STATE / "logs") / f"crash-{name}.log"
    log.write_text(traceback.format_exc())
    return f"please report it with {log}"


def _terminated(number: int, frame: object) -> None:
    """Ends like an interrupt does: what a scenario changed is restored on the way out."""
    raise KeyboardInterrupt


def _signature(command: Callable[..., int]) -> object:
    import inspect

    return inspect.signature(command, eval_str=True)
