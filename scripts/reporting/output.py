"""Writes to a file, or to standard output."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.errors import UsageError

STDOUT = "-"


def writable(*paths: str) -> None:
    """Raises UsageError if one of these files cannot be written; one that is not there is not left there.

    Empty paths and "-" are passed over, and pipes are not opened: a reader would take that for the end.
    """
    for path in paths:
        file = Path(path)
        if path in ("", STDOUT) or (file.exists() and not (file.is_file() or file.is_dir())):
            continue
        new = not file.exists()
        try:
            file.open("ab").close()
        except OSError as error:
            raise refusal(path, error) from None
        if new:
            file.unlink()


def refusal(path: str | Path, error: OSError) -> UsageError:
    """What is said of a file that cannot be written."""
    return UsageError(f"{path} cannot be written ({error.strerror}): choose another file.")


def written(path: str, content: str | bytes) -> None:
    """Writes text or bytes to a file, or to standard output for "-"; raises UsageError if it cannot be."""
    data = content.encode() if isinstance(content, str) else content
    if path == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise refusal(path, error) from None
