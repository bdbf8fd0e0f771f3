"""The page in a browser: choosing, playing, filtering, by mouse and by keyboard, at every width and theme."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from scripts.checks.verdict import Verdict
from scripts.runs.metrules import plain
from tests.browser.conftest import Opened, View
from tests.browser.runs import BROKEN, GREEN, LOST, ROUTED, cut_short, explained, grown, hostile
from tests.worlds.world import recorded

TRACED = "P5-database-rest"


def now(view: View) -> str:
    return view.page.locator(".now").inner_text()


@pytest.mark.parametrize("name", [GREEN, BROKEN, ROUTED])
def test_every_claim_can_be_chosen_by_its_address(opened: Opened, name: str) -> None:
    run = recorded(name)
    view = opened(run)
    for claim in run.claims:
        view.page.evaluate("id => { location.hash = id }", claim.id)
        heading = view.page.locator("#stage h2")
        expect(heading).to_have_text(f"{claim.id} {claim.sentence}")
        expect(view.page.locator("#stage .detail")).to_have_count(1)
    view.clean()


@pytest.mark.parametrize("name", [GREEN, BROKEN])
def test_every_probe_can_be_chosen_and_shows_its_verdict_and_receipt(opened: Opened, name: str) -> None:
    run = recorded(name)
    view = opened(run)
    for probe in run.probes:
        view.page.evaluate("id => { location.hash = id }", probe.id)
        expect(view.page.locator("#stage .detail h3")).to_have_text(probe.sentence)
        assert view.page.locator("#stage .detail").get_attribute("data-verdict") == probe.verdict
    view.clean()


def test_an_address_of_a_probe_opens_it(opened: Opened) -> None:
    view = opened(recorded(GREEN), TRACED)
    expect(view.page.locator(".probe a[aria-current]")).to_contain_text(TRACED)
    view.page.go_back()
    view.go("S6")
    expect(view.page.locator("#stage h2")).to_contain_text("S6 ")
    expect(view.page.locator("#stage .chips a")).to_have_count(4)


@pytest.mark.parametrize("still", [True, False])
def test_the_packet_ends_at_the_last_hop_of_the_trace(opened: Opened, still: bool) -> None:
    run = recorded(GREEN)
    trace = next(probe.receipt.trace for probe in run.probes if probe.id == TRACED)
    assert trace is not None
    view = opened(run, TRACED, still=still)
    view.page.get_by_role("button", name="Play").click()
    last, count = trace.hops[-1], len(trace.hops)
    expect(view.page.locator(".now")).to_contain_text(f"{count} of {count}", timeout=30_000)
    expect(view.page.get_by_role("button", name="Play")).to_be_visible()
    for word in (last.node, last.interface, last.source, last.destination):
        assert word in now(view)
    dot = view.page.locator(f'.dot[data-step="{count}"] circle')
    there = f"translate({dot.get_attribute('cx')} {dot.get_attribute('cy')})"
    assert view.page.locator(".packet").get_attribute("transform") == there
    view.clean()


def test_each_step_says_what_the_wire_carries_there(opened: Opened) -> None:
    run = recorded(GREEN)
    trace = next(probe.receipt.trace for probe in run.probes if probe.id == "I4-nodeport")
    assert trace is not None
    view = opened(run, "I4-nodeport")
    view.page.locator("#stage").focus()
    for number, hop in enumerate(trace.hops, 1):
        view.page.keyboard.press("ArrowRight")
        expect(view.page.locator(".now")).to_contain_text(f"{number} of {len(trace.hops)}: ")
        assert f"{hop.source} → {hop.destination}" in now(view)
        assert all(change in now(view) for change in hop.changed)
        expect(view.page.locator('.hops [aria-current="step"] .n')).to_have_text(str(number))
        assert view.page.locator(".packet text").all_text_contents() == [hop.source, f"→ {hop.destination}"]


def test_a_red_path_ends_at_its_last_hop_and_the_cause_stands_there(opened: Opened) -> None:
    run = explained()
    view = opened(run, LOST)
    (cause, _) = run.causes
    replay = next(probe.receipt.replay for probe in run.probes if probe.id == LOST)
    assert replay is not None and replay.trace is not None
    expect(view.page.locator(".callout")).to_contain_text(cause.what)
    expect(view.page.locator(".dot.stops")).to_have_attribute("data-step", str(len(replay.trace.hops)))
    stop = view.page.locator(".hops .stops")
    expect(stop).to_contain_text(replay.trace.hops[-1].interface)
    expect(stop).to_contain_text(f"Ended by filter FORWARD: {plain(replay.ended[0].text)}")
    expect(stop.locator(".rules summary")).to_have_text("2 rules met")
    view.page.locator("#stage").focus()
    view.page.keyboard.press("End")
    assert "Last seen here" in now(view)
    view.clean()


def test_a_cause_shows_what_it_explains(opened: Opened) -> None:
    run = explained()
    view = opened(run)
    view.page.get_by_role("link", name=run.causes[0].what).first.click()
    expect(view.page.locator("#stage h2")).to_have_text(run.causes[0].what)
    expect(view.page.locator("#stage .chips a")).to_have_count(len(run.causes[0].explains))
    expect(view.page.locator("#stage .claimhead .command")).to_have_count(2)
    expect(view.page.locator("#stage .callout")).to_contain_text(run.causes[0].what)
    view.page.locator("#stage .chips a", has_text="K2-1").click()
    expect(view.page.locator("#stage .detail h3")).to_contain_text("200 times")
    warning = view.page.locator(".cause.warning")
    expect(warning).to_contain_text("Warning")
    view.clean()


def test_each_of_two_causes_stands_where_the_packet_ends(opened: Opened) -> None:
    run = explained()
    first = run.causes[0]
    second = first.model_copy(update={"what": "podpath-worker has no route back", "explains": [LOST]})
    view = opened(run.model_copy(update={"causes": [first, second, *run.causes[1:]]}))
    for cause in (second, first):
        view.page.locator(".cause h3 a", has_text=cause.what).click()
        expect(view.page.locator("#stage h2")).to_have_text(cause.what)
        expect(view.page.locator("#stage .callout")).to_contain_text(cause.what)
        expect(view.page.locator("#stage .hops .stop")).to_contain_text(f"Last seen here. {cause.what}")
        expect(view.page.locator(".probe a[aria-current]")).to_contain_text(LOST)
    view.page.get_by_role("button", name="Play").click()
    expect(view.page.locator(".now")).to_contain_text(f"Last seen here. {first.what}", timeout=30_000)
    view.clean()


def test_views_that_disagree_are_marked(opened: Opened) -> None:
    run = recorded(GREEN)
    id = "P1-client-1-frontend"
    probes = []
    for probe in run.probes:
        if probe.id == id:
            server = [{**probe.receipt.server[0], "X-Podpath-Nonce": "another"}]
            receipt = probe.receipt.model_copy(update={"server": server})
            probe = probe.model_copy(update={"receipt": receipt, "verdict": Verdict.FAILED})
        probes.append(probe)
    view = opened(run.model_copy(update={"probes": probes}), id)
    marked = view.page.locator("#stage tr.disagree")
    expect(marked).to_have_count(1)
    expect(marked).to_contain_text("request id")
    expect(marked).to_contain_text("they disagree")


def test_the_raw_receipt_comes_when_it_is_asked_for(opened: Opened) -> None:
    run = recorded(GREEN)
    view = opened(run, "S2-1")
    view.page.get_by_role("button", name="Show the raw receipt").click()
    raw = view.page.locator("#stage pre")
    expect(raw).to_contain_text('"http_code": 200')
    probe = next(probe for probe in run.probes if probe.id == "S2-1")
    assert raw.inner_text().count('"nonce"') == len(probe.receipt.client)
    assert probe.receipt.kernel[-1] in raw.inner_text()
    view.clean()


def test_a_command_is_copied(opened: Opened) -> None:
    view = opened(recorded(GREEN), "S6-1-80")
    view.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    view.page.locator("#stage .byhand").get_by_role("button", name="Copy").click()
    expect(view.page.locator("#stage .byhand button")).to_have_text("Copied")
    probe = next(probe for probe in recorded(GREEN).probes if probe.id == "S6-1-80")
    assert view.page.evaluate("navigator.clipboard.readText()") == probe.command


def test_the_filter_finds_by_text_lab_verdict_claim_and_node(opened: Opened) -> None:
    run = recorded(BROKEN)
    view = opened(run)
    red = [probe for probe in run.probes if probe.verdict is Verdict.FAILED]
    view.page.get_by_label("Verdict").select_option("failed")
    expect(view.page.locator(".count")).to_have_text(f"{len(red)} of {len(run.probes)} probes")
    expect(view.page.locator(".probe:visible")).to_have_count(len(red))
    view.page.get_by_label("Lab").select_option("pitfalls")
    assert view.page.locator(".probe:visible").count() == sum(probe.lab == "pitfalls" for probe in red)
    view.page.locator("select[name=claim]").select_option("K1")
    view.page.get_by_label("Search").fill("bodies OTHER")
    expect(view.page.locator(".probe:visible b")).to_have_text(["K1-get-1-other", "K1-post-1-other"])
    view.page.get_by_label("Node").select_option("podpath-control-plane")
    expect(view.page.locator(".probe:visible")).to_have_count(0)
    view.clean()


def test_keyboard_alone_reaches_and_plays_a_probe(opened: Opened) -> None:
    view = opened(recorded(GREEN))
    page = view.page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.get_by_label("Search").focus()
    page.keyboard.type(TRACED)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.probe a')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#stage h2")).to_contain_text("P5 ")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.go === 'play'"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".now")).to_contain_text("12 of 12", timeout=30_000)
    page.keyboard.press("Home")
    expect(page.locator(".now")).to_contain_text("1 of 12")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".now")).to_contain_text("2 of 12")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".now")).to_contain_text("1 of 12")
    view.clean()


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("name", [GREEN, BROKEN])
def test_nothing_is_wider_than_the_window(opened: Opened, width: int, name: str) -> None:
    for fragment in ("", TRACED, "S2"):
        view = opened(recorded(name), fragment, width)
        view.page.locator("#stage .detail").wait_for(state="attached")
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
        view.clean()


def test_on_a_phone_a_probe_takes_the_whole_page_and_leads_back(opened: Opened) -> None:
    view = opened(recorded(GREEN), "", 360)
    expect(view.page.locator("#stage")).to_be_hidden()
    view.page.locator("summary", has_text="P5").click()
    expect(view.page.locator("#stage h2")).to_be_visible()
    expect(view.page.locator(".list")).to_be_hidden()
    view.page.get_by_role("link", name="All claims").click()
    expect(view.page.locator(".list")).to_be_visible()
    expect(view.page.locator("#stage")).to_be_hidden()


def test_the_theme_follows_the_system_until_it_is_chosen(opened: Opened) -> None:
    def dark(view: View) -> bool:
        colour = view.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour))) < 300

    view = opened(recorded(GREEN), scheme="dark")
    assert dark(view) and not dark(opened(recorded(GREEN)))
    view.page.get_by_role("button", name="Theme").click()
    assert not dark(view)
    view.page.emulate_media(media="print")
    assert not dark(view)


def test_without_scripts_verdicts_hops_and_drawings_can_be_read(opened: Opened) -> None:
    run = explained()
    view = opened(run, scripts=False)
    text = view.page.text_content("body") or ""
    for probe in run.probes:
        if probe.verdict is Verdict.FAILED:
            assert probe.why and " ".join(probe.why.split()) in " ".join(text.split())
    lost = view.page.locator(f'li[id="{LOST}"]')
    expect(lost.locator("svg.drawing")).to_be_visible()
    expect(lost.locator(".hops li")).to_have_count(8)
    expect(view.page.locator(".filter")).to_be_hidden()
    view.clean()


def test_a_run_cut_short_says_so_and_shows_what_was_not_judged(opened: Opened) -> None:
    run = recorded(GREEN)
    view = opened(cut_short(run, 60))
    expect(view.page.locator(".headline")).to_contain_text(f"cut short: 60 of {len(run.probes)} probes")
    view.page.evaluate("id => { location.hash = id }", run.probes[-1].id)
    expect(view.page.locator("#stage")).to_contain_text("ended before this probe was judged")
    expect(view.page.locator('.probe[data-verdict="not judged"]')).to_have_count(len(run.probes) - 60)
    view.clean()


def test_hostile_text_is_text(opened: Opened) -> None:
    run = hostile(explained())
    view = opened(run)
    for probe in run.probes:
        shown = probe.id.encode("unicode_escape").decode()
        assert shown
        number = run.probes.index(probe)
        view.page.evaluate("n => document.querySelector(`.probe[data-n='${n}'] a`).click()", number)
        expect(view.page.locator(".probe a[aria-current]")).to_have_attribute("data-probe", str(number))
    raw = view.page.get_by_role("button", name="Show the raw receipt")
    raw.click()
    expect(view.page.locator("#stage pre")).to_contain_text("<script>alert(1)</script>")
    assert view.page.locator("img, iframe, object, embed, a[href^='javascript']").count() == 0
    assert (
        view.page.locator("script[type=module]").count()
        == view.page.locator("script:not([type])").count() + 1
    )
    hidden = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
    assert hidden.search(view.page.evaluate("document.documentElement.textContent")) is None
    view.clean()


def test_no_script_but_its_own_can_run(opened: Opened) -> None:
    view = opened(recorded(GREEN))
    ran = view.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            return Boolean(window.ran);
        }"""
    )
    assert ran is False
    assert any("Content Security Policy" in said for said in view.wrong)


@pytest.mark.parametrize("count", [1_000, 5_000])
def test_many_probes_can_be_filtered_and_chosen(opened: Opened, count: int) -> None:
    run = grown(recorded(GREEN), count)
    view = opened(run)
    expect(view.page.locator(".count")).to_have_text(f"{count:,} of {count:,} probes")
    last = run.probes[-1].id
    view.page.get_by_label("Search").fill(last)
    expect(view.page.locator(".probe:visible b").first).to_have_text(last)
    view.page.locator(".probe:visible a").first.click()
    expect(view.page.locator(".probe a[aria-current]")).to_contain_text(last)
    view.page.get_by_role("button", name="Show the raw receipt").click()
    expect(view.page.locator("#stage pre")).to_contain_text("{")
    view.clean()
