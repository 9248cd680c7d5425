"""Links between the pages lead somewhere, for readers of the repository; `make docs` checks those of the site."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.pages import PAGES, prose
from tests.support.paths import ROOT

_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the repository's web pages make them."""
    titles = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in _HEADING.findall(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    lost = []
    for name, anchor in _LINK.findall(_CODE.sub("", prose(page))):
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{name}#{anchor}")

    assert [] == lost


def test_every_guarantee_names_a_command_itself() -> None:
    """With "the same" for a command, a row that is inserted above would change what the words mean."""
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| .* \| (.*) \|$", page.partition("| tried by |\n| --- | --- | --- |\n")[2], re.MULTILINE)

    assert cells
    assert [] == [cell for cell in cells if "`" not in cell or cell.startswith("the same")]


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    """`make docs` would refuse it."""
    listed = set(re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))

    assert set() == {page.name for page in ROOT.glob("docs/*.md")} - listed
