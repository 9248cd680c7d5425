"""The pages in Chromium: nothing sticks out, nothing complains, and everybody can read and use them."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from kcl_flowlog.web.overview import Overview
from kcl_flowlog.web.who_page import WhoSource
from tests.pages.browser import opened, serious_findings, served
from tests.support.overviews import BAD, BAD_WHO, EMPTY_WHO, FULL, FULL_WHO, LARGE, STARTING

pytestmark = pytest.mark.browser

# What sticks out depends on the width only, and contrast on the colours.
VIEWS = (("light", 360), ("dark", 1440))
OVERVIEW = "/?refresh=off"
WHO = "/who?subnet=subnet-a"
NOT_READY = ("The daemon is not initialised yet.", "W" * 200)


class Case(NamedTuple):
    """A page and what it shows."""

    path: str
    overview: Overview
    who: WhoSource | None
    not_ready: tuple[str, ...] = ()


CASES = {
    "overview-full": Case(OVERVIEW, FULL, FULL_WHO),
    "overview-large": Case(OVERVIEW, LARGE, None),
    "overview-starting": Case(OVERVIEW, STARTING, EMPTY_WHO, NOT_READY),
    "overview-hostile": Case(OVERVIEW, BAD, BAD_WHO),
    "who-full": Case(WHO, FULL, FULL_WHO),
    "who-list": Case("/who", FULL, FULL_WHO),
    "who-empty": Case(WHO, STARTING, EMPTY_WHO),
    "who-hostile": Case(WHO, BAD, BAD_WHO),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_page_is_whole_in_every_window_and_colour(case: Case, browser: Browser, judge: str) -> None:
    """No complaint of the browser, no scrolling sideways, nothing serious for axe-core, no text that became markup."""
    found: list[object] = []
    messages: list[str] = []
    with served(case.overview, case.who, case.not_ready) as url:
        for scheme, width in VIEWS:
            with opened(browser, url + case.path, width, scheme, messages) as page:
                found += [(scheme, width, *each) for each in serious_findings(page, judge).items()]
                found += [(scheme, width, "wide", name) for name in sticking_out(page)]
                found += [(scheme, width, "markup")] if page.locator("script, img, iframe").count() else []

    assert ([], []) == (found, messages)


def sticking_out(page: Page) -> list[str]:
    """Return the elements that reach beyond the window."""
    names: list[str] = page.evaluate(
        """[...document.querySelectorAll('body *')]
        .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
        .map(each => each.outerHTML.slice(0, 80))"""
    )
    return names


def test_each_scheme_has_its_own_colours(browser: Browser) -> None:
    """The page follows the system."""
    colours = []
    with served(FULL, FULL_WHO) as url:
        for scheme, width in VIEWS:
            with opened(browser, url + OVERVIEW, width, scheme, []) as page:
                colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert ["rgb(246, 248, 250)", "rgb(13, 17, 23)"] == colours


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser) -> None:
    """Links and the fold, in the order of the page, each with an outline."""
    with served(FULL, FULL_WHO) as url, opened(browser, url + OVERVIEW, 1440, "light", []) as page:
        expected = page.locator("a, summary").all_inner_texts()
        reached = []
        for _ in expected:
            page.keyboard.press("Tab")
            focus = "[document.activeElement.innerText, getComputedStyle(document.activeElement).outlineStyle]"
            reached.append(tuple(page.evaluate(focus)))

        assert [(text, "solid") for text in expected] == reached


def test_a_subnet_leads_to_who_sent_its_rejected_flows(browser: Browser) -> None:
    with served(FULL, FULL_WHO) as url, opened(browser, url + OVERVIEW, 1440, "light", []) as page:
        page.get_by_role("link", name="cache-a").click()

        assert f"{url}/who?subnet=subnet-0b1f5d2c7a9e413a4" == page.url
        assert "Who?" == page.get_by_role("heading", level=1).inner_text()


def test_the_pages_need_no_script(browser: Browser) -> None:
    """A reader can stop the refreshing, and ask who, without JavaScript."""
    with (
        served(FULL, FULL_WHO) as url,
        opened(browser, url, 1440, "light", [], has_scripts=False) as page,
    ):
        page.get_by_role("link", name="Stop refreshing").click()
        stopped = page.get_by_text("This page does not refresh itself.").count()
        page.get_by_role("link", name="Who?").click()
        page.get_by_role("combobox", name="Subnet").fill("subnet-a")
        page.get_by_role("button", name="Show").click()
        answered = page.url

    assert (1, f"{url}/who?subnet=subnet-a&window=1h") == (stopped, answered)
