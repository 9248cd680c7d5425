"""A page of HTML as a reader sees it: by section, the rows of its tables and the rest of its text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple

_ROWS = ("tr", "li", "p")


class Section(NamedTuple):
    """The text of a section, line by line; cells of a row are separated by ` | `."""

    lines: list[str]
    charts: int


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sections: dict[str, Section] = {"": Section([], 0)}
        self.tags: set[str] = set()
        self._section = ""
        self._row: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "section":
            self._end_row()
            self._section = given["aria-labelledby"] or ""
            self.sections[self._section] = Section([], 0)
        if tag == "svg":
            found = self.sections[self._section]
            self.sections[self._section] = found._replace(charts=found.charts + 1)
        if tag in (*_ROWS, "dt"):
            self._end_row()
        if tag in ("td", "th", "dd"):
            self._row.append("|")
        self._is_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        if tag in (*_ROWS, "h2", "dd"):
            self._end_row()
        if tag == "section":
            self._section = ""
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self._row += data.split()

    def _end_row(self) -> None:
        line = " ".join(self._row).strip("| ")
        if line:
            self.sections[self._section].lines.append(line)
        self._row = []


def sections_of(page: str) -> dict[str, Section]:
    """Return the sections by their ids; what is outside of them is under the empty id."""
    reader = _Reader()
    reader.feed(page)
    return reader.sections


def tags_of(page: str) -> set[str]:
    """Return the names of all tags."""
    reader = _Reader()
    reader.feed(page)
    return reader.tags
