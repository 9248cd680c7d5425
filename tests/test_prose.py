"""The prose of the project: plain words, and no path to a file that is not there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

# What not to write, and what to write instead. A flag of an earlier name may stay in the text.
TURNS = {
    r"\b(that|which) (is|are|was|has) none\b|\b(have|has|is) none\b(?! of)": "is invalid, is missing",
    r"\b(where|if) there (is|are|was|were) (none|one)\b": "if it is missing",
    r"\bfor so long\b|\bafter so long\b": "for that long, or the number",
    r"\b[Tt]he one (that|which|who|with|of|in|at|on)\b|\b(another|the other) one\b": "the noun",
    r"\bfor one in\b|\bone = |\bone: |\blambda one\b|\(one, other\)": "a variable's name is a noun",
    r"\b(became|become|becomes|came|comes) of\b": "the outcome of",
    r"\b(is|are|was|were|be|been|being) (asked|told|taken for)\b": "asks, tells, counts as",
    r"\bof (ours|theirs|late)\b|\bof (its|his|their) own\b": "leave it out",
    r"\b(None|0|empty) where\b": "None if",
    r"\b([Ww]ards?|[Tt]ether\w*|[Oo]rphan\w*|[Nn]ewborns?|[Pp]ostbox\w*|[Ss]trangers?|[Bb]ur(y|ied|ies)|[Ss]tations?)\b": "the field's word",  # noqa: E501
}
ALLOWED = re.compile(r"newborn-hold|KCL_FLOWLOG_NEWBORN_HOLD")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]


def sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.cfg", "Makefile", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split() if name != "tests/test_prose.py"]


@pytest.mark.parametrize("turn", TURNS, ids=TURNS.values())
def test_no_text_uses_a_turn_that_readers_stumble_over(turn: str) -> None:
    """Package, docs and tests use plain words."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(turn, ALLOWED.sub("", line))
    ]

    assert [] == found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    """A module, test or page that the documentation names is there."""
    named = set(
        re.findall(r"(?<![\w/.-])((?:[\w-]+/)+[\w.-]+\.(?:py|md|txt|prom|sha256))\b", page.read_text(encoding="utf-8"))
    )
    places = [ROOT, ROOT / "kcl_flowlog", page.parent]

    assert [] == sorted(name for name in named if not any((place / name).exists() for place in places))
