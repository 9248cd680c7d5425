"""Times and numbers of bytes in a few characters, as the templates show them."""

from __future__ import annotations

import pytest

from kcl_flowlog.web.jinja import size, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (90_000, "1 d")],
)
def test_a_time_span_is_short(seconds: float, text: str) -> None:
    assert text == span(seconds)


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e12, "2.5 TB")])
def test_a_number_of_bytes_is_short(number: float, text: str) -> None:
    assert text == size(number)
