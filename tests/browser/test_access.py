"""The page for people who use a screen reader: axe-core, and what each picture says in words."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opened, severe
from tests.browser.runs import GREEN, LOST, explained
from tests.worlds.world import recorded

PLACES = [(GREEN, ""), (GREEN, "I4-nodeport"), (GREEN, "S2"), ("explained", LOST), ("explained", "cause-1")]


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "fragment"), PLACES)
def test_axe_finds_nothing_serious(opened: Opened, name: str, fragment: str, scheme: str, width: int) -> None:
    view = opened(explained() if name == "explained" else recorded(name), fragment, width, scheme)
    view.page.locator("#stage .detail").wait_for(state="attached")
    assert severe(view) == {}


def test_a_picture_has_its_name_and_its_hops_in_words(opened: Opened) -> None:
    view = opened(recorded(GREEN), "E2-gateway")
    picture = view.page.get_by_role("img", name="The way of the packet: traveller/nginx asks")
    expect(picture).to_be_visible()
    described = picture.get_attribute("aria-describedby")
    assert described
    words = view.page.locator(f"[id='{described}']")
    expect(words).to_contain_text("podpath-worker2 eth0 out")
    expect(words).to_contain_text("SNAT")


def test_verdicts_are_words_as_well_as_colours(opened: Opened) -> None:
    run = explained()
    view = opened(run)
    for probe in run.probes:
        row = view.page.locator(f'.probe:has(a[data-probe="{run.probes.index(probe)}"]) > a')
        assert probe.verdict.value in (row.text_content() or "")
