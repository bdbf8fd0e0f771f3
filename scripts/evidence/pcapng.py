"""Writes pcapng files: frames of many interfaces in one file, in the order of time, with comments.

The format is https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html: a section header, an interface
description a interface, an enhanced packet block a frame; times in nanoseconds, everything little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from scripts.evidence.pcap import SLL2

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_MAGIC, _UNKNOWN_LENGTH = 0x1A2B3C4D, 0xFFFFFFFFFFFFFFFF
_END, _COMMENT, _PROGRAM = 0, 1, 4
_NAME, _DESCRIPTION, _RESOLUTION = 2, 3, 9
_FLAGS = 2
_NANOSECONDS = b"\x09"
_DIRECTION = {"in": 1, "out": 2}
_LONGEST_OPTION = 0xFFFF
Option = tuple[int, bytes]


@dataclass(frozen=True)
class Seen:
    """A frame with its SLL2 header, at the interface with this index; ``length`` as in ``pcap.Frame``."""

    interface: int
    time_ns: int
    direction: Literal["in", "out"]
    data: bytes
    length: int
    comment: str = ""


def pcapng(interfaces: Sequence[tuple[str, str]], frames: Iterable[Seen], comment: str, snap: int) -> bytes:
    """A file of these frames, of each of which at most ``snap`` bytes were kept.

    ``interfaces`` are pairs of a name and a description; ``comment`` is that of the whole file.
    """
    head = struct.pack("<IHHQ", _MAGIC, 1, 0, _UNKNOWN_LENGTH)
    blocks = [_block(_SECTION, head, [(_COMMENT, _text(comment)), (_PROGRAM, b"podpath")])]
    for name, description in interfaces:
        options = [(_NAME, _text(name)), (_DESCRIPTION, _text(description)), (_RESOLUTION, _NANOSECONDS)]
        blocks.append(_block(_INTERFACE, struct.pack("<HHI", SLL2, 0, snap), options))
    for frame in sorted(frames, key=lambda one: one.time_ns):
        high, low = divmod(frame.time_ns, 1 << 32)
        head = struct.pack("<IIIII", frame.interface, high, low, len(frame.data), frame.length)
        flags = struct.pack("<I", _DIRECTION[frame.direction])
        blocks.append(
            _block(_PACKET, head + _padded(frame.data), [(_COMMENT, _text(frame.comment)), (_FLAGS, flags)])
        )
    return b"".join(blocks)


def _block(kind: int, body: bytes, options: Iterable[Option]) -> bytes:
    """A block; options without a value are left out."""
    told = [struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options if value]
    content = body + b"".join([*told, struct.pack("<HH", _END, 0)])
    length = len(content) + 12
    return struct.pack("<II", kind, length) + content + struct.pack("<I", length)


def _text(text: str) -> bytes:
    return text.encode()[:_LONGEST_OPTION].decode(errors="ignore").encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
