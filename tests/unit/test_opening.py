"""`scripts/report --open`: the page in the user's browser, and what is said where there is none."""

from __future__ import annotations

import os
import re
import webbrowser
from pathlib import Path

import pytest

from scripts import environment
from scripts.cli import report as command
from scripts.cli._opening import open_page
from scripts.cli.report import report
from scripts.errors import EXIT_OK, PodpathError, UsageError
from scripts.waiting import eventually
from tests.unit.test_named import FIRST, SECOND, kept

__all__ = ["kept"]
USER = 1000


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests is no root, and has neither a display nor a browser."""
    monkeypatch.setattr(os, "geteuid", lambda: USER)
    monkeypatch.setattr(environment, "_before", {})
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def browser(user: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser of the user's, which notes what it is asked for and by which proxy it would get it."""
    program, noted = tmp_path / "browser", tmp_path / "noted"
    program.write_text(f'#!/bin/sh\necho "$1 $https_proxy" > {noted}\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    return noted


def test_the_page_of_a_run_opens_in_the_users_browser(
    kept: Path, browser: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "RUNS", kept)
    assert report(SECOND, open_=True) == EXIT_OK
    page = kept / SECOND / "report.html"
    eventually(browser.exists, 5, "the browser to start")
    assert browser.read_text().split() == [page.as_uri()]
    assert "This run was cut short: 3 of 6 probes were judged." in page.read_text()
    assert capsys.readouterr().err.endswith(f"opened {page.as_uri()}\n")


def test_the_page_may_be_elsewhere(
    kept: Path, browser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "RUNS", kept)
    file, page = kept / FIRST / "run.json", tmp_path / "a page.html"
    with pytest.raises(UsageError, match=r"is a file, not a run's folder: type --html FILE"):
        report(str(file), open_=True)
    assert report(str(file), html=str(page), open_=True) == EXIT_OK
    assert browser.read_text().split() == [page.as_uri()] and "%20" in page.as_uri()


def test_a_browser_has_the_environment_of_the_user(browser: Path, tmp_path: Path) -> None:
    theirs = {**os.environ, "https_proxy": "http://proxy.example:3128"}
    environment.make_harmless(theirs)
    before = dict(os.environ)
    open_page(tmp_path / "x.html")
    assert browser.read_text().split()[1:] == ["http://proxy.example:3128"]
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("set_", "id", "said"),
    [
        ({}, USER, r"^there is no display for a browser: open file:///\S+/x\.html where there is one\.$"),
        (
            {"BROWSER": "/no/such/browser %s"},
            USER,
            r"^no browser could be started: open file:///\S+ yourself\.$",
        ),
        ({"BROWSER": "/bin/false %s"}, USER, r"^no browser could be started: "),
        (
            {"BROWSER": "/bin/true %s", "DISPLAY": ":0"},
            0,
            r"^no browser is started as root: open file:///\S+ yourself",
        ),
    ],
)
def test_without_a_browser_the_address_is_told_in_one_sentence(
    user: None, set_: dict[str, str], id: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: id)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, value in set_.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PodpathError) as raised:
        open_page(tmp_path / "x.html")
    assert re.search(said, str(raised.value))
