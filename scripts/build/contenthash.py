"""A hash of a folder's files: the key of everything that is built once per content."""

from __future__ import annotations

import hashlib
from pathlib import Path


def files_of(folder: Path) -> list[tuple[str, bool, bytes]]:
    """Each file of a folder by relative path: whether it is executable, and its bytes.

    Like git, it knows no other mode bits: a checkout's umask and times must not change a key.
    """
    return [
        (path.relative_to(folder).as_posix(), bool(path.stat().st_mode & 0o100), path.read_bytes())
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
        if path.is_file()
    ]


def folder_hash(folder: Path, *extra: str) -> str:
    """12 hexadecimal digits (SHA-256) that stand for a folder's files and for ``extra``, in this order."""
    parts: list[bytes] = []
    for name, executable, data in files_of(folder):
        parts += (name.encode(), b"-x"[executable:], data)
    return _digest(*parts, *(text.encode() for text in extra))


def text_hash(*texts: str) -> str:
    """12 hexadecimal digits (SHA-256) that stand for these texts, in this order."""
    return _digest(*(text.encode() for text in texts))


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]
