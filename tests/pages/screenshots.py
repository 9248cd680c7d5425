"""Takes the pictures in docs/screenshots: of the pages, and of the demo with its alerts. `make screenshots`."""

from __future__ import annotations

import html
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from tests.pages.alerts_page import served_alerts, show_firing
from tests.pages.browser import chromium, opened, served, why_not
from tests.support.overviews import FULL, FULL_WHO
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "screenshots"
SCREEN = ROOT / "tests" / "demo" / "screens" / "counting-80.txt"


class Picture(NamedTuple):
    """A picture: of which page, how wide and high, and in which colours."""

    name: str
    path: str
    width: int
    height: int
    scheme: str


_WHO = f"/who?subnet={FULL_WHO.found.subnet_id}"
PICTURES = (
    Picture("overview-light", "/?refresh=off", 1100, 860, "light"),
    Picture("overview-dark", "/?refresh=off", 1100, 860, "dark"),
    Picture("overview-narrow", "/?refresh=off", 360, 900, "light"),
    Picture("who-light", _WHO, 1100, 860, "light"),
    Picture("who-dark", _WHO, 1100, 860, "dark"),
)


def main(folder: Path = FOLDER) -> None:
    """Take all pictures."""
    if reason := why_not():
        raise SystemExit(f"A picture {reason}")
    if shutil.which("prometheus") is None:
        raise SystemExit("A picture needs Prometheus; on Debian: apt-get install prometheus")
    folder.mkdir(exist_ok=True)
    with served(FULL, FULL_WHO) as url, chromium() as browser:
        for picture in PICTURES:
            with opened(browser, url + picture.path, picture.width, picture.scheme, []) as page:
                page.set_viewport_size({"width": picture.width, "height": picture.height})
                page.screenshot(path=folder / f"{picture.name}.png")
        _take_screen(browser, folder / "demo.png")
        _take_alerts(browser, folder / "alerts.png")


def _take_screen(browser: Browser, path: Path) -> None:
    """Take the picture of a terminal, with a text that a test compares with the real one."""
    style = "margin: 0; padding: 1em 1.25em; background: #0d1117; color: #e6edf3; font: 14px/1.4 monospace"
    page = browser.new_page()
    page.set_content(f'<body style="margin: 0"><pre style="{style}; width: max-content">{_text()}</pre>')
    page.locator("pre").screenshot(path=path)
    page.close()


def _take_alerts(browser: Browser, path: Path) -> None:
    """Take the picture of Prometheus' page, with the alerts that the story of the demo provokes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served_alerts(Path(folder)) as url,
        opened(browser, url, 1100, "light", []) as page,
    ):
        show_firing(page)
        page.screenshot(path=path, full_page=True)


def _text() -> str:
    return html.escape(SCREEN.read_text(encoding="utf-8").rstrip())


if __name__ == "__main__":
    main()
