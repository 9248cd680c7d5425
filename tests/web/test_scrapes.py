"""Counting scrapes, and waiting for the next."""

from __future__ import annotations

import pytest

from kcl_flowlog.web.scrapes import Scrapes


@pytest.fixture
def scrapes() -> Scrapes:
    return Scrapes()


def test_a_scrape_counts_when_it_ends(scrapes: Scrapes) -> None:
    """A scrape that never ends is not counted."""
    scrapes.begin()
    scrapes.end(scrapes.begin())

    assert 1 == scrapes.answered


def test_the_next_scrape_begins_after_the_call(scrapes: Scrapes) -> None:
    """A scrape that is under way may not show the last counts, so it is not the next."""
    under_way = scrapes.begin()
    answered = scrapes.next()

    scrapes.end(under_way)
    was_answered_early = answered.is_set()
    scrapes.end(scrapes.begin())

    assert not was_answered_early
    assert answered.is_set()


def test_everybody_who_waits_is_woken(scrapes: Scrapes) -> None:
    """One scrape answers all waits that began before it, and none that began later. Answered waits are forgotten."""
    first, second = scrapes.next(), scrapes.next()
    number = scrapes.begin()
    third = scrapes.next()

    scrapes.end(number)
    woken_by_the_first_scrape = [event.is_set() for event in (first, second, third)]
    scrapes.end(scrapes.begin())

    assert [True, True, False] == woken_by_the_first_scrape
    assert third.is_set()
    assert [] == scrapes._waiting
