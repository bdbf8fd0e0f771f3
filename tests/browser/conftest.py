"""A browser for the tests of the page, and what a page that is open in it did wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page

from scripts.reporting.html.page import render
from scripts.runs.document import Run
from tests.browser.chromium import MISSING, chromium, launched

Opened = Callable[..., "View"]
SEVERE = ("serious", "critical")


class View:
    """A page that is open, with everything that went wrong in it, and every address that it asked for."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page, self.path = page, path
        self.wrong: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda said: self.wrong.append(said.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", self._refuse)
        page.on("request", lambda request: self.asked.append(request.url))

    def _refuse(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def go(self, fragment: str = "") -> View:
        """Opens the file, at a fragment."""
        self.page.goto(f"{self.path.as_uri()}{'#' + fragment if fragment else ''}")
        return self

    def clean(self) -> None:
        """Nothing went wrong, and nothing was asked for but the file itself and what it holds."""
        assert self.wrong == []
        assert {url.partition("#")[0] for url in self.asked} <= {self.path.as_uri(), "data:,"}


@cache
def axe() -> str:
    """axe-core, as the package axe-playwright-python brings it along."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


def severe(view: View) -> dict[str, list[object]]:
    """What axe-core finds that is serious, with some of the places."""
    view.page.evaluate(axe())  # evaluated by the debugger, which the page's policy does not bind
    found = view.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return {
        one["id"]: [node["target"] for node in one["nodes"]][:3]
        for one in found["violations"]
        if one["impact"] in SEVERE
    }


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if not path:
        pytest.skip(MISSING)
    with launched(path) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens the page of a run, or a page, in a window of its own."""
    contexts: list[BrowserContext] = []

    def open_(
        run: Run | str,
        fragment: str = "",
        width: int = 1600,
        scheme: str = "light",
        scripts: bool = True,
        still: bool = True,
    ) -> View:
        path = tmp_path / f"report-{len(contexts)}.html"
        path.write_text(run if isinstance(run, str) else render(run))
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce" if still else "no-preference",
            offline=True,
        )
        contexts.append(context)
        return View(context.new_page(), path).go(fragment)

    yield open_
    for context in contexts:
        context.close()
