from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scripts.transport.lists import PAGE, listed


@given(st.integers(min_value=0, max_value=3 * int(PAGE)))
def test_a_list_is_whole_and_in_order_however_many_pages_it_has(count: int) -> None:
    asked: list[dict[str, str]] = []

    def get(path: str, **query: str) -> dict[str, Any]:
        assert path == "/api/v1/pods"
        asked.append(query)
        first, size = int(query.get("continue", "0")), int(query["limit"])
        last = min(first + size, count)
        more = {"continue": str(last)} if last < count else {}
        return {"items": [*range(first, last)], "metadata": more}

    assert listed(get, "/api/v1/pods") == [*range(count)]
    assert len(asked) == max(1, -(-count // int(PAGE)))
