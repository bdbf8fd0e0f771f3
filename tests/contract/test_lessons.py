"""Every lesson shows its pictures, and every picture can be read alone and is shown."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labs import LABS, module_of
from scripts.paths import ROOT
from tests.lessons.pictures import DRAWN, REPORT

SVG = "{http://www.w3.org/2000/svg}"
IMAGE = re.compile(r"^!\[([^\]]*)\]\(([^)]+)\)$", re.M)
PICTURE, PAGE = 30_000, 300_000
"""Octets that a picture, and that of the whole page, may have."""


def images(path: Path) -> dict[Path, str]:
    """The pictures that a text shows, each with its words for those who do not see it."""
    return {(path.parent / file).resolve(): words for words, file in IMAGE.findall(path.read_text())}


@pytest.mark.parametrize("lab", LABS)
def test_a_lesson_shows_its_claims_pictures(lab: str) -> None:
    folder = ROOT / module_of(lab).replace(".", "/")
    shown = {file: words for text in folder.glob("*.md") for file, words in images(text).items()}
    assert shown, f"the lesson of {lab} shows no picture"
    assert {*shown} == {one.file for one in DRAWN if one.lab == lab} == {*folder.glob("pictures/*")}
    for file, words in shown.items():
        assert words.startswith(f"{file.stem}: ") and len(words) > 20, f"{file.name} has no words"


@pytest.mark.parametrize("file", [one.file for one in DRAWN], ids=lambda file: file.stem)
def test_a_picture_is_small_and_says_what_it_shows(file: Path) -> None:
    assert file.stat().st_size <= PICTURE
    svg = ElementTree.parse(file).getroot()
    assert (svg.tag, svg.get("role")) == (f"{SVG}svg", "img")
    texts = [svg.findtext(f"{SVG}{name}") or "" for name in ("title", "desc")]
    assert texts[0].startswith(f"{file.stem}: ") and " to " in texts[1]


def test_the_report_is_shown_where_one_begins_to_read() -> None:
    assert {*images(ROOT / "README.md")} == {REPORT}
    assert REPORT.read_bytes().startswith(b"\x89PNG") and REPORT.stat().st_size <= PAGE
