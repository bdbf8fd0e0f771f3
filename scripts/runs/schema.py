"""The JSON Schema of a run's document, for readers in any language.

``schema.json`` beside this file is its published form: ``scripts/python -m scripts.runs.schema`` renews it.
"""

from __future__ import annotations

import json
from pathlib import Path

from scripts.runs.document import Run

PUBLISHED = Path(__file__).with_name("schema.json")


def schema() -> str:
    """The schema as JSON (draft 2020-12), made from the model that reads and writes the documents."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Run.model_json_schema(by_alias=True),
        "title": "podpath run",
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PUBLISHED.write_text(schema(), encoding="utf-8")
