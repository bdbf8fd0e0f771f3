"""Lists of the API server, page by page: an answer comes in time however many objects there are.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PAGE = "500"
"""Objects of one answer, as kubectl asks for them."""


def listed(get: Callable[..., dict[str, Any]], path: str) -> list[Any]:
    """The items of a list; ``get`` asks the API server for one page of it, and raises what it raises."""
    found: list[Any] = []
    more: dict[str, str] = {}
    while True:
        page = get(path, limit=PAGE, **more)
        found += page["items"]
        after = page.get("metadata", {}).get("continue")
        if not after:
            return found
        more = {"continue": after}
