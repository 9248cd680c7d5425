"""Takes the pictures of the pages in docs/screenshots: `make screenshots`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.pages.browser import chromium, opened, served, why_not
from tests.support.overviews import FULL, FULL_WHO
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "screenshots"


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
    folder.mkdir(exist_ok=True)
    with served(FULL, FULL_WHO) as url, chromium() as browser:
        for picture in PICTURES:
            with opened(browser, url + picture.path, picture.width, picture.scheme, []) as page:
                page.set_viewport_size({"width": picture.width, "height": picture.height})
                page.screenshot(path=folder / f"{picture.name}.png")


if __name__ == "__main__":
    main()
