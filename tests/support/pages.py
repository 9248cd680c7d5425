"""The commands on the pages: each block of shell, and how it says that it is tested."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("deploy/**/*.md")),
]
SHELL = ("sh", "console")
_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMENTS = re.compile(r"(?:^<!-- [^\n]* -->\n)+\Z", re.MULTILINE)
_MARKER = re.compile(r"^<!-- tested: ([^\n]+) -->$", re.MULTILINE)
_HERE = re.compile(r"<<'?(\w+)'?")


class Block(NamedTuple):
    """A fenced block: where it is, its language, how it is tested (or empty), its text."""

    page: str
    line: int
    indent: str
    language: str
    tested: str
    text: str

    @property
    def place(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether it has commands: by its language, or by a prompt in its first line."""
        return self.language in SHELL or self.text.startswith("$ ")

    def commands(self) -> list[str]:
        """Return its commands, each as it is written, without prompts, comments and output."""
        if not self.is_shell:
            return []
        lines = self.text.splitlines()
        if self.text.startswith("$ "):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [found for found in _commands(iter(lines)) if not found.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page; the comments directly above a block belong to it."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        comments = _COMMENTS.search(text[: match.start()])
        marker = _MARKER.search(comments[0]) if comments else None
        line = text.count("\n", 0, match.start()) + 1
        yield Block(
            str(page.relative_to(ROOT)), line, match[1], match[2], marker[1].strip() if marker else "", match[3]
        )


def prose(page: Path) -> str:
    """Return the text of a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def all_blocks(pages: Iterable[Path] = PAGES) -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in pages for block in blocks(page)]


def words(command: str) -> list[list[str]]:
    """Return the words of each program in a pipeline, without comments and variables that are set in front."""
    programs: list[list[str]] = [[]]
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    for word in lexer:
        if set(word) <= set("|&;"):
            programs.append([])
        elif programs[-1] or not re.match(r"\w+=", word):
            programs[-1].append(word)
    return [program for program in programs if program]


def _commands(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        command = line
        while command.endswith("\\"):
            command = f"{command}\n{next(lines)}"
        here = _HERE.search(command)
        if here:
            command = "\n".join([command, *iter(lambda: next(lines), here[1]), here[1]])
        if command.strip():
            yield command
