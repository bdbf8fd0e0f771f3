"""Whether an output has the documented form: what differs from run to run may differ, and nothing else may.

A documented line is a pattern. Names of Pods, addresses, ports, times and counts in it stand for any of their
kind; "…" in a line stands for any text, a line that is nothing but "…" for any lines. Runs of blanks have any
length: columns are as wide as what stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

ELIDED = "…"
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
"""The alphabet of generated names: no vowels, and no digits that look like letters."""
_NOUNS = (
    "of|answers?|bytes|connections?|datagrams?|executions?|hops?|more|octets|packets|ports|probes?|"
    "requests?|rules?|segments?|SYNs?|times|tries|timed|repeated|warnings?|claims?|passed|proven|refuted|"
    "failed|inconclusive|skipped|scenarios|changes|unchanged|created|updated|altogether|were|was|and|are"
)
MASKS: tuple[str, ...] = (
    # Names that are generated.
    rf"{ELIDED}{_SAFE}{{5}}\b(?: \d+(?=[,; )]|$))?",
    rf"(?<=-){_SAFE}{{8,10}}-{_SAFE}{{5}}\b(?: \d+(?=[,; )]|$))?",
    rf"(?<=-){_SAFE}{{5}}\b",
    r"\bpodpath-(?:worker2?|control-plane)\b",
    r"\bveth[0-9a-f]{8}\b",
    r"@if\d+\b",
    r"(?<=KUBE-SVC-)[A-Z0-9]{16}\b",
    r"(?<=KUBE-SEP-)[A-Z0-9]{16}\b",
    r"(?<=KUBE-SVL-)[A-Z0-9]{16}\b",
    r"\b[0-9a-f]{32}\b",
    r"\b\d{8}T\d{6}\.\d{3}\b",
    # Addresses: a Pod's, a Service's and one of the nodes' network are not the same.
    r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b",
    r"\bfe80::[0-9a-f:]+",
    r"\b10\.244\.\d{1,3}\.\d{1,3}\b",
    r"\b10\.96\.\d{1,3}\.\d{1,3}\b",
    r"\b(?:172\.(?:1[6-9]|2\d|3[01])|192\.168)\.\d{1,3}\.\d{1,3}\b",
    # Ports that were chosen by chance; those of servers stay.
    r"(?<=[\d>]:)(?!(?:5300|5301|5432|8000|8080)\b)\d{4,5}\b",
    r"(?<=port=)(?!(?:5300|10250)\b)\d{4,5}\b",
    # Times.
    r"(?<![\w.])-?\d+(?: \d{3})*(?:\.\d+)? (?:µs|ms|s|min)\b",
    r"(?<=^tcp {6}6 )\d+",
    r"(?<=^udp {6}17 )\d+",
    r"\b\d\.\d{4,}\b",
    # Counts and shares.
    r"\b\d+(?:\.\d+)? ?%",
    rf"(?<![\w.:/-])\d+(?= (?:{_NOUNS})\b)",
    r"^ *\d+K? +\d+[KM]?(?= +DROP)",
    r"^ +\d+(?= )",
    r"^\d+(?=: \w)",
    r"(?<=use=)\d+",
    r"\b\d+(?= +0\.0$)",
    r"(?<![\w.])\d{5,}\b",
)
"""What may differ, each as a regular expression; of two that fit, the one that stands first is taken."""
_VARIES = re.compile("|".join(f"({mask})" for mask in MASKS) + "| {2,}")
_STAND_IN = 0xE000
"""The first of the characters that stand for what is masked: they are private, so no output has them."""


@dataclass(frozen=True)
class Normal:
    """A line without what varies. ``at`` is where each character of ``text``, and its end, is in ``raw``."""

    raw: str
    text: str
    at: tuple[int, ...]


@cache
def normal(raw: str) -> Normal:
    """A line in which a character stands for each thing that varies, and a blank for a run of blanks."""
    raw = raw.rstrip()
    text, at, here = "", [], 0
    for found in _VARIES.finditer(raw):
        text += raw[here : found.start()] + (chr(_STAND_IN + found.lastindex) if found.lastindex else " ")
        at += [*range(here, found.start()), found.start()]
        here = found.end()
    return Normal(raw, text + raw[here:], (*at, *range(here, len(raw) + 1)))


@cache
def _pattern(documented: str) -> re.Pattern[str]:
    parts = normal(documented).text.split(ELIDED)
    return re.compile(".*?".join(f"({re.escape(part)})" for part in parts))


def same(documented: str, line: str) -> bool:
    """Whether a line has the form of a documented one."""
    return _pattern(documented).fullmatch(normal(line).text) is not None


def renewed(documented: str, line: str) -> str:
    """What a line of the same form now says in the parts that are not elided in the documented one."""
    seen = normal(line)
    found = _pattern(documented).fullmatch(seen.text)
    assert found is not None, (documented, line)
    parts = range(1, found.re.groups + 1)
    return ELIDED.join(seen.raw[seen.at[found.start(n)] : seen.at[found.end(n)]] for n in parts)


class Kind(Enum):
    """What became of a line."""

    SAME, ELIDED, GONE, NEW = " ", ELIDED, "-", "+"


@dataclass(frozen=True)
class Line:
    """A line of an output beside the documented one; the side that has none is empty."""

    kind: Kind
    documented: str = ""
    now: str = ""


def compared(documented: Sequence[str], now: Sequence[str]) -> list[Line]:
    """Both outputs side by side, with as few differences as possible."""
    height, width = len(documented), len(now)
    cost = [[0] * (width + 1) for _ in range(height + 1)]
    for row in range(height, -1, -1):
        for column in range(width, -1, -1):
            if (row, column) != (height, width):
                cost[row][column] = min(price for price, *_ in _steps(documented, now, row, column, cost))
    row = column = 0
    found = []
    while (row, column) != (height, width):
        _, line, down, right = min(_steps(documented, now, row, column, cost), key=lambda step: step[0])
        found.append(line)
        row, column = row + down, column + right
    return found


def _steps(
    documented: Sequence[str], now: Sequence[str], row: int, column: int, cost: Sequence[Sequence[int]]
) -> Iterator[tuple[int, Line, int, int]]:
    """From here: what differs in all with a next line, that line, and how far it goes on each side."""
    left, right = row < len(documented), column < len(now)
    if left and documented[row].strip() == ELIDED:
        yield cost[row + 1][column], Line(Kind.ELIDED, documented[row]), 1, 0
        if right:
            yield cost[row][column + 1], Line(Kind.ELIDED, now=now[column]), 0, 1
        return
    if left and right and same(documented[row], now[column]):
        yield cost[row + 1][column + 1], Line(Kind.SAME, documented[row], now[column]), 1, 1
    if left:
        yield cost[row + 1][column] + 1, Line(Kind.GONE, documented[row]), 1, 0
    if right:
        yield cost[row][column + 1] + 1, Line(Kind.NEW, now=now[column]), 0, 1


def holds(lines: Iterable[Line]) -> bool:
    """Whether nothing differs."""
    return all(line.kind in (Kind.SAME, Kind.ELIDED) for line in lines)


def recorded(lines: Iterable[Line]) -> list[str]:
    """The output as it is documented from now on: what was elided stays so."""
    written = []
    for line in lines:
        if line.kind is Kind.SAME:
            written.append(renewed(line.documented, line.now))
        elif line.kind is Kind.NEW:
            written.append(line.now.rstrip())
        elif line.kind is Kind.ELIDED and line.documented:
            written.append(line.documented)
    return written
