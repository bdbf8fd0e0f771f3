"""Standard output and error of a command: whatever takes them, in whatever encoding, the command goes on."""

from __future__ import annotations

import codecs
import errno
import io
import locale
import os
import select
import sys
from typing import Any

PLAIN = {
    "✓": "+",
    "✗": "x",
    "…": "...",
    "→": "->",
    "–": "-",
    "·": "-",
    "µ": "u",
    "≤": "<=",
    "≥": ">=",
} | dict(zip("├└│─", "|`|-", strict=True))


class Outlet(io.FileIO):
    """A standard stream whose reader may go away, as in ``scripts/up | head -1``: the work goes on.

    What cannot be written is dropped; ``lost`` says why, unless the reader simply had enough.
    """

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        """All of ``data``, also to a stream that does not block; never an error."""
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])
            return written
        except OSError as error:
            self.lost = None if error.errno == errno.EPIPE else error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def print_anywhere() -> list[Outlet]:
    """Puts streams in place of stdout and stderr that never fail, and gives them.

    A character that cannot be encoded is replaced by a plain one; a closed stream goes nowhere.
    """
    codecs.register_error("podpath-plain", _plainly)
    _hold_closed()
    outlets = []
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__"):  # somebody collects it
            continue
        outlet = Outlet(number, "w", closefd=False)
        encoding = _encoding(stream.encoding if stream else "utf-8")
        lines = number == 2 or outlet.isatty() or bool(os.environ.get("PYTHONUNBUFFERED"))
        buffered = io.BufferedWriter(outlet)
        setattr(
            sys,
            name,
            io.TextIOWrapper(buffered, encoding, errors="podpath-plain", line_buffering=lines),
        )
        outlets.append(outlet)
    return outlets


def _hold_closed() -> None:
    """Opens /dev/null in place of closed standard streams, so that no other file gets their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _encoding(python: str) -> str:
    """What PYTHONIOENCODING or the locale says; as Python does, UTF-8 where the locale says nothing."""
    if os.environ.get("PYTHONIOENCODING"):
        return python
    with_locale = locale.getencoding()
    try:
        name = codecs.lookup(with_locale).name
    except LookupError:
        return python
    return python if name == "ascii" else name


def _plainly(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), "nothing is decoded with this handler"
    return "".join(PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end
