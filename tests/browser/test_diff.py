"""The page of `scripts/diff --html` in a browser: both ways side by side, their packets, and their words."""

from __future__ import annotations

from functools import cache

import pytest
from playwright.sync_api import expect

from scripts.reporting.html.diff import render_diff
from scripts.runs.compare import compare
from scripts.runs.document import Run
from tests.browser.conftest import Opened, severe
from tests.browser.runs import GREEN, LOST, ROUTED, explained, grown, hostile
from tests.worlds.world import recorded

P5 = "P5-database-rest"


@cache
def page(name: str) -> str:
    """The page of the green run and another one."""
    after = explained() if name == "broken" else recorded({"routed": ROUTED, "same": GREEN}[name])
    return between(recorded(GREEN), after)


def between(before: Run, after: Run) -> str:
    return render_diff(before, after, compare(before, after))


@pytest.mark.parametrize("name", ["broken", "routed"])
def test_everything_that_differs_can_be_chosen_by_its_address(opened: Opened, name: str) -> None:
    view = opened(page(name))
    ids = view.page.locator(".probe b").all_text_contents()
    assert len(ids) > 10
    for id in ids:
        view.page.evaluate("id => { location.hash = id }", id)
        expect(view.page.locator(".probe a[aria-current] b")).to_have_text(id)
        expect(view.page.locator("#stage .differs")).to_have_count(1)
    view.clean()


@pytest.mark.parametrize("still", [True, False])
def test_both_packets_travel_at_the_same_pace(opened: Opened, still: bool) -> None:
    view = opened(page("routed"), P5, still=still)
    view.page.get_by_role("button", name="Play").click()
    expect(view.page.locator(".now")).to_contain_text("12 of 12", timeout=30_000)
    expect(view.page.get_by_role("button", name="Play")).to_be_visible()
    for drawing, last in enumerate((12, 8)):
        svg = view.page.locator("svg.drawing").nth(drawing)
        circle = svg.locator(f'.dot[data-step="{last}"] circle')
        there = f"translate({circle.get_attribute('cx')} {circle.get_attribute('cy')})"
        assert svg.locator(".packet").get_attribute("transform") == there
    view.clean()


def test_where_a_hop_is_gone_the_other_packet_waits(opened: Opened) -> None:
    view = opened(page("routed"), P5)
    view.page.locator("#stage").focus()
    before, after = (view.page.locator("svg.drawing").nth(n).locator(".packet") for n in (0, 1))
    view.page.keyboard.press("ArrowRight")
    expect(view.page.locator(".now")).to_contain_text("1 of 12")
    places = before.get_attribute("transform"), after.get_attribute("transform")
    view.page.keyboard.press("ArrowRight")
    expect(view.page.locator(".now")).to_contain_text("gone: no longer passed")
    assert before.get_attribute("transform") != places[0] and after.get_attribute("transform") == places[1]
    expect(view.page.locator('.hops [aria-current="step"]')).to_contain_text("cbr0")
    view.clean()


def test_lanes_stand_over_each_other(opened: Opened) -> None:
    view = opened(page("routed"), P5)
    lanes = [
        {text.text_content(): text.bounding_box()["x"] for text in svg.locator(".lanes text").all()}  # type: ignore[index]
        for svg in view.page.locator("svg.drawing").all()
    ]
    assert len(lanes) == 2
    for name in ("outside", "load balancer", "netfilter"):
        assert abs(lanes[0][name] - lanes[1][name]) < 2


def test_marks_have_signs_and_words_as_well_as_colours(opened: Opened) -> None:
    view = opened(page("routed"), P5)
    flags = view.page.locator("svg.drawing").first.locator(".flag text").all_text_contents()
    assert flags.count("−") == 4 and flags.count("≠") == 4
    gone = view.page.locator(".hops li.gone")
    expect(gone).to_have_count(4)
    expect(gone.first).to_contain_text("gone: no longer passed")
    expect(view.page.locator(".hops li.altered").first).to_contain_text(
        "a port of cbr0 → a port of no bridge"
    )
    for when in ("before", "after"):
        picture = view.page.get_by_role("img", name=f"The way of the packet {when}: ")
        described = picture.get_attribute("aria-describedby")
        expect(view.page.locator(f"[id='{described}'] li")).to_have_count(12)


def test_a_cause_that_came_leads_to_the_way_that_ends_there(opened: Opened) -> None:
    run = explained()
    view = opened(page("broken"))
    expect(view.page.locator(".cause").first).to_contain_text("came")
    view.page.get_by_role("link", name=run.causes[0].what).click()
    expect(view.page.locator("#stage h2")).to_have_text(f"came {run.causes[0].what}")
    expect(view.page.locator(".probe a[aria-current] b")).to_have_text(LOST)
    expect(view.page.locator("svg.drawing").nth(1).locator(".callout")).to_contain_text(run.causes[0].what)
    expect(view.page.locator(".dot.stops")).to_have_count(1)
    view.clean()


def test_the_filter_finds_by_change(opened: Opened) -> None:
    view = opened(page("routed"))
    view.page.locator("select[name=verdict]").select_option("other path")
    found = view.page.locator(".probe:visible").count()
    assert 0 < found < view.page.locator(".probe").count()
    expect(view.page.locator(".count")).to_contain_text(f"{found} of ")
    view.page.get_by_label("Search").fill("second NAT bridge")
    expect(view.page.locator(".probe:visible b")).to_have_text(["E2-gateway"])
    view.clean()


def test_keyboard_alone_reaches_what_differs(opened: Opened) -> None:
    view = opened(page("routed"))
    view.page.get_by_label("Search").focus()
    view.page.keyboard.type(P5)
    for _ in range(10):
        view.page.keyboard.press("Tab")
        if view.page.evaluate("document.activeElement.matches('.probe a')"):
            break
    view.page.keyboard.press("Enter")
    expect(view.page.locator("#stage h2")).to_contain_text("P5 ")
    view.clean()


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "fragment"),
    [("routed", P5), ("broken", "C2-pod"), ("broken", "cause-1"), ("routed", ""), ("same", "")],
)
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(
    opened: Opened, name: str, fragment: str, scheme: str, width: int
) -> None:
    view = opened(page(name), fragment, width, scheme)
    if name != "same":
        view.page.locator("#stage .detail").wait_for(state="attached")
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    assert severe(view) == {}
    view.clean()


def test_without_scripts_every_difference_can_be_read(opened: Opened) -> None:
    view = opened(page("routed"), scripts=False)
    row = view.page.locator(f'li[id="{P5}"]')
    expect(row.locator("svg.drawing")).to_have_count(2)
    expect(row.locator(".hops li")).to_have_count(12)
    expect(view.page.locator(".filter")).to_be_hidden()
    expect(view.page.get_by_text("same node: bridge cbr0 → ptp").first).to_be_visible()
    view.clean()


def test_hostile_text_is_text(opened: Opened) -> None:
    view = opened(between(hostile(recorded(GREEN)), hostile(explained())))
    for number in range(view.page.locator(".probe").count()):
        view.page.evaluate("n => document.querySelector(`.probe[data-n='${n}'] a`).click()", number)
        expect(view.page.locator(".probe a[aria-current]")).to_have_attribute("data-probe", str(number))
    assert view.page.locator("img, iframe, object, embed, a[href^='javascript']").count() == 0
    view.clean()


def test_many_differences_stay_one_small_file(opened: Opened) -> None:
    text = between(grown(recorded(GREEN), 2_000), grown(recorded(ROUTED), 2_000))
    assert len(text.encode()) <= 4 << 20
    view = opened(text)
    view.page.get_by_label("Search").fill(f"{P5}-x9")
    view.page.locator(".probe:visible a").first.click()
    expect(view.page.locator("#stage svg.drawing")).to_have_count(2)
    view.clean()
