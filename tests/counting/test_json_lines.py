"""Lines in the JSON of log events: wherever their spaces are, and none if a word is empty."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from kcl_flowlog.counting.columns.json_lines import JsonLines, JsonReader

_WORDS = 14


def _found(messages: list[str]) -> JsonLines | None:
    reader = JsonReader()
    for number, message in enumerate(messages):
        event = f'{{"id":"{number:056d}","timestamp":1700000000000,"message":"{message}"}}'
        reader.add(memoryview(event.encode()))
    return reader.find_lines(_WORDS)


def _messages(longest: int) -> list[str]:
    rng = random.Random(longest)
    return [" ".join("x" * rng.randrange(1, longest) for _ in range(_WORDS)) for _ in range(100)]


@pytest.mark.parametrize("longest", [2, 3, 5, 9, 20, 60, 140])
@pytest.mark.parametrize("first", [0, 5, 13])
def test_each_word_is_found(longest: int, first: int) -> None:
    """In lines of any length, whichever word is wanted first, and in some of the lines as well."""
    messages = _messages(longest)
    found = _found(messages)
    assert found is not None

    for lines, expected in ((found.lines, messages), (found.lines.rows(slice(30, 60)), messages[30:60])):
        words = [message.split() for message in expected]
        for field in (first, *range(_WORDS)):
            assert [len(each[field]) for each in words] == lines.widths(field).tolist()
        # Of the first, the text around it is part.
        for field in range(1, _WORDS):
            assert [each[field] for each in words] == lines.fields(lines.ends(field))


@pytest.mark.parametrize("place", [0, 1, 7, 12, 13])
def test_an_empty_word_is_refused(place: int) -> None:
    """Wherever it is, though all lines have as many spaces."""
    for length in range(1, 65):
        words = [*["xx"] * (_WORDS - 1), "x" * length]
        assert _found([" ".join(words)] * 3) is not None
        words[place] = ""
        assert _found([" ".join([*["xx"] * _WORDS]), " ".join(words)]) is None


@pytest.mark.parametrize(
    "change",
    [lambda line: line.replace(" ", "x", 1), lambda line: f"{line} x", lambda line: f"{line}{' x' * 256}"],
    ids=["fewer", "more", "256 more"],
)
def test_another_number_of_words_is_refused(change: Callable[[str], str]) -> None:
    """Also if other lines make up for it."""
    messages = _messages(6)
    messages[50] = change(messages[50])
    balanced = messages[:]
    missing = sum(message.count(" ") for message in messages) - len(messages) * (_WORDS - 1)
    for number in range(missing):
        balanced[number % 50] = balanced[number % 50].replace(" ", "x", 1)
    balanced[0] += " x" * -missing

    assert _found(messages) is None
    assert _found(balanced) is None
