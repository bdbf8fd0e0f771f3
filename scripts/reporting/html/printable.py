"""Makes what others wrote printable, in one place, before any of it reaches the page."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel

UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters but tabs and line ends, and what is invisible or turns writing around."""
Record = TypeVar("Record", bound=BaseModel)


def visible(text: str) -> str:
    """A text with its unprintable characters as escapes."""
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def printable(record: Record) -> Record:
    """A record with all texts in it made visible; the same one if they are."""
    told = record.model_dump(mode="python", by_alias=True)
    return type(record).model_validate(_visible(told)) if _hidden(told) else record


def _hidden(value: Any) -> bool:
    """Whether any text in a value has an unprintable character."""
    if isinstance(value, str):
        return not value.isprintable() and UNPRINTABLE.search(value) is not None
    if isinstance(value, dict):
        return any(_hidden(key) or _hidden(one) for key, one in value.items())
    return isinstance(value, list) and any(map(_hidden, value))


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(key): _visible(one) for key, one in value.items()}
    return [*map(_visible, value)] if isinstance(value, list) else value
