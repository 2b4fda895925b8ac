"""The console in a real Chromium, as people use it: with and without a mouse, or scripts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from syncd.service.admin import Server
from tests.service.admin.house import FakeBoard, served, settings

PAGES = (
    "/",
    "/runs",
    "/runs/1",
    "/people",
    "/people?query=ada%40contoso.com",
    "/people?query=nobody",
    "/explain?user=ada%40contoso.com",
    "/conflicts",
    "/nothing",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser: Debian's, which is the one that is installed for this."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed: apt-get install chromium")
        pytest.skip("chromium is not installed")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = ["--no-sandbox"] if root else []  # Chromium's own sandbox refuses root
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="module")
def server(board: FakeBoard) -> Iterator[Server]:
    """Give a server of the console."""
    with served(board, settings()) as found:
        yield found


@pytest.fixture
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """Give a visitor without JavaScript: the console needs none."""
    base = f"http://127.0.0.1:{server.port}"
    with browser.new_context(java_script_enabled=False, base_url=base) as found:
        yield found


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Give a page on which nothing may go wrong."""
    found = context.new_page()
    said = _complaints(found)
    yield found
    assert said == []


def _complaints(page: Page) -> list[str]:
    """Collect what the browser complains of while a page is used."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    return said


def _heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


# --- what people do -----------------------------------------------------------------------------


def test_the_overview_says_how_each_environment_stands(page: Page) -> None:
    """In sync or not, when last and next, and what needs a person."""
    page.goto("/")
    region = page.get_by_role("region", name="contoso")

    assert _heading(page) == "Overview"
    assert page.title() == "Overview · syncd"
    assert region.get_by_text("In sync as of the last run").is_visible()
    assert region.get_by_text("2026-03-02 08:05:00 UTC").is_visible()
    assert region.get_by_role("link", name="1 open: MULTI_PROFILE_DIRECT").is_visible()
    assert page.get_by_role("row", name="database yes answers").is_visible()


def test_a_run_leads_to_its_plan_and_a_plan_to_people(page: Page) -> None:
    """Each step is a link."""
    page.goto("/")
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("rowheader", name="1").get_by_role("link").click()
    run = _heading(page)
    page.locator("main").get_by_role("link").click()
    plan = _heading(page)
    created = page.get_by_role("row", name="bo@contoso.com").first.inner_text()
    page.get_by_role("link", name="bo@contoso.com").first.click()

    assert run == "Run 1"
    assert plan.startswith("Plan 20260302T080000")
    assert "Depot" in created
    assert _heading(page) == "Why somebody is as they are"
    assert page.get_by_role("heading", name="E2 · bo@contoso.com · contoso").is_visible()


def test_somebody_is_looked_for_and_explained(page: Page) -> None:
    """By a whole name; the explanation says what the next run would do."""
    page.goto("/people")
    page.get_by_label("Who").fill("ADA@contoso.com")
    page.get_by_role("button", name="Find").click()
    found = page.get_by_role("status").inner_text()
    page.get_by_role("rowheader").get_by_role("link", name="ada").click()

    assert found == "1 found."
    assert page.get_by_role("heading", name="SURPLUS: several rows").is_visible()
    assert page.get_by_text("field crew: Field Crew").is_visible()
    assert page.get_by_role("row", name="employee_id E1").is_visible()


def test_nobody_is_found_by_a_wrong_name(page: Page) -> None:
    """What was typed stays in the field, and is said, as it is."""
    page.goto("/people")
    page.get_by_label("Who").fill("<b>nobody</b>")
    page.get_by_role("button", name="Find").click()

    assert page.get_by_role("status").inner_text() == "Nobody is called “<b>nobody</b>”."
    assert page.get_by_label("Who").input_value() == "<b>nobody</b>"


def test_open_conflicts_are_listed(page: Page) -> None:
    """With the profiles that contradict each other, and a way to the explanation."""
    page.goto("/conflicts")
    row = page.get_by_role("row", name="ada@contoso.com")
    said = row.inner_text()
    row.get_by_role("link").click()

    assert "MULTI_PROFILE_DIRECT" in said
    assert "Depot, Field Crew" in said
    assert "2026-03-02 08:00:00 UTC" in said
    assert _heading(page) == "Why somebody is as they are"


def test_everything_can_be_reached_without_a_mouse(page: Page) -> None:
    """Tab goes through the page in reading order, and where it stands can be seen."""
    page.goto("/")
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    first = (skip.inner_text(), skip.bounding_box())
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    runs = page.locator(":focus")
    name, style = runs.inner_text(), _styles(runs)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/people")
    for _ in range(6):
        page.keyboard.press("Tab")
    page.keyboard.type("bo@contoso.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/people?query=**")

    assert first[0] == "Skip to the content"
    assert first[1] is not None
    assert first[1]["x"] >= 0
    assert name == "Runs"
    assert style["outlineStyle"] == "solid"
    assert style["outlineWidth"] == "3px"
    assert page.get_by_role("status").inner_text() == "1 found."


def _styles(element: Any) -> Any:
    names = ("outlineStyle", "outlineWidth")
    script = "(e, names) => Object.fromEntries(names.map(n => [n, getComputedStyle(e)[n]]))"
    return element.evaluate(script, names)


# --- what every page has ------------------------------------------------------------------------


def test_every_page_can_be_read_aloud(context: BrowserContext) -> None:
    """Language, title, landmarks, one first heading, labelled fields, tables with heads."""
    page = context.new_page()
    for path in PAGES:
        page.goto(path)
        _check_structure(page)
        found = page.get_by_role("heading", level=1).count()

        assert found == 1, path


def _check_structure(page: Page) -> None:
    tables = page.get_by_role("table").all()
    fields = page.locator("input, select").all()

    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title().endswith(" · syncd")
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1, landmark
    assert _leaps(page) == []
    assert [table for table in tables if not table.locator("caption").inner_text()] == []
    assert [table for table in tables if not table.get_by_role("columnheader").count()] == []
    assert [
        f for f in fields if not page.locator(f"label[for={f.get_attribute('id')}]").count()
    ] == []
    assert page.locator("a:not([href]), img, [onclick], [style], script").count() == 0


def _leaps(page: Page) -> list[str]:
    """Return the headings that leave out a level."""
    levels = [int(tag[1]) for tag in page.locator("h1, h2, h3, h4").evaluate_all(
        "all => all.map(e => e.tagName)")]  # fmt: skip
    return [f"h{before} h{after}" for before, after in pairwise(levels) if after > before + 1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_background(
    browser: Browser, server: Server, scheme: Any
) -> None:
    """By 4.5 to 1 at least, in light and in dark, and no page is wider than a telephone."""
    base = f"http://127.0.0.1:{server.port}"
    size: Any = {"width": 360, "height": 740}
    faint, wide = [], []
    with browser.new_context(base_url=base, color_scheme=scheme, viewport=size) as context:
        page = context.new_page()
        for path in PAGES:
            page.goto(path)
            faint += page.evaluate(FAINT)
            wide += [path] * (page.evaluate("document.documentElement.scrollWidth") > 360)

    assert faint == []
    assert wide == []


FAINT = """
() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = rgb(c).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const under = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (rgb(c)[3] !== 0) return c; }
    return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .filter(e => { const [a, b] = [light(getComputedStyle(e).color), light(under(e))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5; })
    .map(e => e.outerHTML.slice(0, 80));
}
"""


def test_light_and_dark_differ(browser: Browser, server: Server) -> None:
    """Whoever prefers the dark gets it."""
    found = []
    for scheme in ("light", "dark"):
        base = f"http://127.0.0.1:{server.port}"
        with browser.new_context(base_url=base, color_scheme=scheme) as context:
            page = context.new_page()
            page.goto("/")
            found.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert found == ["rgb(251, 250, 247)", "rgb(20, 24, 28)"]


def test_no_page_makes_the_browser_complain(browser: Browser, server: Server) -> None:
    """Nor does one ask anything of another host."""
    base = f"http://127.0.0.1:{server.port}"
    asked: list[str] = []
    with browser.new_context(base_url=base) as context:
        page = context.new_page()
        said = _complaints(page)
        page.on("request", lambda request: asked.append(request.url))
        for path in PAGES:
            page.goto(path)

    assert [each for each in said if "404" not in each] == []
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {base[7:]}


def test_no_script_runs_on_a_page(browser: Browser, server: Server) -> None:
    """Whoever got one in would find that the policy is in force."""
    base = f"http://127.0.0.1:{server.port}"
    with browser.new_context(base_url=base) as context:
        page = context.new_page()
        said = _complaints(page)
        page.goto("/")
        page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
            " document.body.append(s); document.body.setAttribute('onclick', 'window.ran = 1'); }"
        )
        page.locator("h1").click()
        ran = page.evaluate("window.ran")
        cookies = context.cookies()

    assert ran is None
    assert any("Content Security Policy" in each for each in said)
    assert cookies == []


def test_a_page_of_another_site_cannot_read_or_frame_or_change(
    browser: Browser, server: Server, board: FakeBoard
) -> None:
    """The browser refuses on our word, and we refuse what it lets through."""
    board.asked.clear()
    here = f"http://127.0.0.1:{server.port}"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://localhost:{server.port}/")
        page.goto("about:blank")
        read = page.evaluate(READ, f"{here}/api/v1/conflicts")
        change = page.evaluate(CHANGE, f"{here}/api/v1/environments/contoso/run")
        page.set_content(f'<iframe src="{here}/"></iframe>')
        frame = page.frames[1]
        frame.wait_for_load_state()
        framed = frame.url

    assert read == "refused"
    assert change == "refused"
    assert not framed.startswith(here)
    assert board.asked == []


READ = "url => fetch(url).then(() => 'read', () => 'refused')"
CHANGE = """
url => fetch(url, {method: 'POST', headers: {'Authorization': 'Bearer x',
  'Content-Type': 'application/json'}, body: '{"task": "delta"}'})
  .then(() => 'sent', () => 'refused')
"""
