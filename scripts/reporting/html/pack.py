"""Text that a page carries compressed, in blocks that its script unpacks when one is asked for."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator

MOST = 256 << 10
"""Characters of a block, unless a single text is longer."""
LEVEL = 6


def packed(texts: Iterable[tuple[int, str]]) -> Iterator[tuple[list[int], str]]:
    """Blocks of numbered texts: the numbers, and the texts as JSON, gzip and base64."""
    numbers: list[int] = []
    block: list[str] = []
    size = 0
    for number, text in texts:
        if block and size + len(text) > MOST:
            yield numbers, pack(block)
            numbers, block, size = [], [], 0
        numbers.append(number)
        block.append(text)
        size += len(text)
    if block:
        yield numbers, pack(block)


def bounded(blocks: Iterable[tuple[list[int], str]], most: int) -> Iterator[tuple[list[int], str]]:
    """The first of these blocks, as many as have no more than ``most`` characters together."""
    for numbers, block in blocks:
        most -= len(block)
        if most < 0:
            return
        yield numbers, block


def pack(texts: list[str]) -> str:
    """One block; the same texts give the same block."""
    return base64.b64encode(gzip.compress(json.dumps(texts).encode(), LEVEL, mtime=0)).decode()
