"""Which scrapes an instance waits for before it ends."""

from __future__ import annotations

from kcl_flowlog.launcher.final_scrape import FinalScrape
from tests.support.clocks import FakeClock
from tests.support.launcher_fakes import FakeWebServer


class FakeSeries:
    """New series that show 0 until they are lifted."""

    def __init__(self, held: bool) -> None:
        self.is_holding = held

    def lift(self) -> None:
        self.is_holding = False


class Ending:
    """An instance that ends; a scrape comes every 15 seconds, if `scraped_every` says so."""

    def __init__(self, scrapes_answered: int = 1, held: bool = False, scraped_every: float = 15.0) -> None:
        self.clock = FakeClock(0.0)
        self.server = FakeWebServer(scrapes_answered)
        self.series = FakeSeries(held)
        self.is_hurried_at = float("inf")
        self.shown_as_zero: list[bool] = []
        self._every = scraped_every
        self._next = scraped_every
        self.final_scrape = FinalScrape(self.server, self.series, self._wait, self.clock)

    def _wait(self, seconds: float) -> bool:
        self.clock.now = round(self.clock.now + seconds, 1)
        if self.clock.now >= self._next:
            self._next += self._every
            self.shown_as_zero.append(self.series.is_holding)
            self.server.awaited[-1].set()
        return self.clock.now >= self.is_hurried_at


def test_nobody_is_waited_for_if_nobody_ever_scraped() -> None:
    """No Prometheus is there to see the last counts."""
    ending = Ending(scrapes_answered=0)

    ending.final_scrape.wait_until(60.0)

    assert ([], 0.0) == (ending.server.awaited, ending.clock.now)


def test_one_more_scrape_is_waited_for() -> None:
    """It shows the last counts, and the end follows."""
    ending = Ending()

    ending.final_scrape.wait_until(60.0)

    assert ([False], 15.0) == (ending.shown_as_zero, ending.clock.now)


def test_a_scrape_that_showed_zero_for_a_new_series_is_followed_by_another_with_its_value() -> None:
    """Otherwise nobody would ever see what the series counted."""
    ending = Ending(held=True)

    ending.final_scrape.wait_until(60.0)

    assert ([True, False], 30.0) == (ending.shown_as_zero, ending.clock.now)


def test_the_deadline_ends_the_wait_for_the_first_scrape() -> None:
    """Without a scrape there is nothing to lift."""
    ending = Ending(held=True, scraped_every=1000.0)

    ending.final_scrape.wait_until(10.0)

    assert (10.0, True, 1) == (ending.clock.now, ending.series.is_holding, len(ending.server.awaited))


def test_the_deadline_ends_the_wait_for_the_second_scrape() -> None:
    """The two waits share one deadline."""
    ending = Ending(held=True)

    ending.final_scrape.wait_until(20.0)

    assert ([True], 20.0) == (ending.shown_as_zero, ending.clock.now)


def test_a_hurrying_user_ends_the_wait() -> None:
    """No second scrape is waited for either."""
    ending = Ending(held=True)
    ending.is_hurried_at = 5.0

    ending.final_scrape.wait_until(60.0)

    assert (5.0, 1) == (ending.clock.now, len(ending.server.awaited))
